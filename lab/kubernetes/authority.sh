#!/usr/bin/env bash
# authority.sh FOLDER NODES...: a certificate authority for a cluster, the keys of its programs, and the kubeconfigs of its
# users, each with a bearer token.
set -euo pipefail
pki=$1; shift
mkdir -p "$pki"
cd "$pki"

certificate() { # NAME SUBJECT EXTENSIONS
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" -extfile <(echo "$3") 2>/dev/null
}

identity() { # FILE USER GROUPS
  local token
  token=$(openssl rand -hex 16)
  echo "$token,$2,$1,\"$3\"" >> tokens.csv
  cat > "$1.conf" <<Y
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://10.66.0.1:6443", certificate-authority: "$pki/ca.pem"}}]
users: [{name: me, user: {token: "$token"}}]
contexts: [{name: lab, context: {cluster: lab, user: me}}]
current-context: lab
Y
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -subj /CN=lab -days 2 -out ca.pem 2>/dev/null
names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
certificate apiserver /CN=kube-apiserver "subjectAltName=IP:10.66.0.1,IP:10.68.0.1,IP:127.0.0.1,$names"
certificate kubelet-client /O=system:masters/CN=kubelet-client extendedKeyUsage=clientAuth
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
identity admin admin system:masters
identity kube-controller-manager system:kube-controller-manager ""
identity kube-scheduler system:kube-scheduler ""
identity kube-proxy system:kube-proxy ""
for n in "$@"; do identity "node$n" "system:node:node$n" system:nodes; done
