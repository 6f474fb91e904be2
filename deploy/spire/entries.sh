#!/bin/sh
# Registers the mesh at a SPIRE server that has no spire-controller-manager.
#
# usage: entries.sh istio NAMESPACE/ACCOUNT...     the proxy, and service accounts of the mesh
#        entries.sh cilium                         the proxy and Cilium's operator, which registers the service accounts
#
#   SPIRE_SERVER   the command to call; "kubectl exec -n spire spire-server-0 -- /opt/spire/bin/spire-server" by default
#   TRUST_DOMAIN   cluster.local by default: the proxy's CLUSTER_DOMAIN
#   AGENTS         the id that all agents have as an alias; spiffe://TRUST_DOMAIN/ns/spire/sa/spire-agent by default
set -eu
server=${SPIRE_SERVER:-kubectl exec -n spire spire-server-0 -- /opt/spire/bin/spire-server}
domain=${TRUST_DOMAIN:-cluster.local}
agents=${AGENTS:-spiffe://$domain/ns/spire/sa/spire-agent}

entry() { # PATH NAMESPACE ACCOUNT [FLAG...]
  id=spiffe://$domain$1 namespace=$2 account=$3
  shift 3
  # shellcheck disable=SC2086 # the command is words
  $server entry create -parentID "$agents" -spiffeID "$id" \
    -selector "k8s:ns:$namespace" -selector "k8s:sa:$account" "$@"
}

case ${1:-} in
  istio)
    shift
    entry /ns/istio-system/sa/ztunnel istio-system ztunnel
    for name in "$@"; do entry "/ns/${name%/*}/sa/${name#*/}" "${name%/*}" "${name#*/}"; done
    ;;
  cilium)
    entry /ztunnel kube-system ztunnel-cilium
    entry /cilium-operator kube-system cilium-operator -admin
    ;;
  *) sed -n '4,5s/^# //p' "$0" >&2; exit 2 ;;
esac
