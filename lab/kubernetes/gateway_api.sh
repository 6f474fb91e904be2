#!/bin/sh
# Prints the folder with the kinds of the Gateway API, in the version that istiod is built with.
set -eu
cd "$(dirname "$0")/../../tests/peers/kubernetes/istio"
echo "$(go list -mod=mod -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)/config/crd/standard"
