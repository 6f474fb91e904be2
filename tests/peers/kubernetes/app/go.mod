module ztunnel/tests/peers/kubernetes/app

go 1.26
