module ztunnel/tests/peers/cilium_chart

go 1.26.0

require github.com/cilium/cilium v1.20.2
