package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"time"

	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/multicluster"
	"istio.io/istio/pkg/security"
	"istio.io/istio/security/pkg/pki/ca"
	"istio.io/istio/security/pkg/pki/util"
	caserver "istio.io/istio/security/pkg/server/ca"
)

const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	serverLife      = 365 * 24 * time.Hour
	certificateLife = 24 * time.Hour
	longestLife     = 90 * 24 * time.Hour
	keyBits         = 2048
)

// Names under which istiod is reached.
var serverNames = []string{"istiod.istio-system.svc", "localhost", "127.0.0.1"}

type authority struct {
	service  *caserver.Server
	tls      *tls.Config // of the port that wants tokens
	rootFile string
}

// Istio's CA with a self-signed root, which is made at the first start.
func openAuthority(state string, client kube.Client, authenticators []security.Authenticator) (*authority, error) {
	rootFile, keyFile := filepath.Join(state, "root-cert.pem"), filepath.Join(state, "root-key.pem")
	if err := makeRoot(rootFile, keyFile); err != nil {
		return nil, err
	}
	options, err := ca.NewPluggedCertIstioCAOptions(ca.SigningCAFileBundle{
		SigningCertFile: rootFile,
		SigningKeyFile:  keyFile,
		RootCertFile:    rootFile,
	}, certificateLife, longestLife, keyBits)
	if err != nil {
		return nil, err
	}
	istioCA, err := ca.NewIstioCA(options)
	if err != nil {
		return nil, err
	}

	// Who may ask for whose certificate is decided by an informer of its own, so the client is run once more.
	clusters := multicluster.NewFakeController()
	service, err := caserver.New(istioCA, certificateLife, authenticators, clusters)
	if err != nil {
		return nil, err
	}
	never := make(chan struct{})
	clusters.Add(clusterID, client, never)
	client.RunAndWait(never)

	chain, key, err := istioCA.GenKeyCert(serverNames, serverLife, false)
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(istioCA.GetCAKeyCertBundle().GetRootCertPem())
	return &authority{
		service:  service,
		rootFile: rootFile,
		tls: &tls.Config{
			Certificates: []tls.Certificate{certificate},
			ClientAuth:   tls.VerifyClientCertIfGiven,
			ClientCAs:    roots,
			MinVersion:   tls.VersionTLS12,
		},
	}, nil
}

func makeRoot(certificateFile, keyFile string) error {
	if _, err := os.Stat(certificateFile); err == nil {
		return nil
	}
	certificate, key, err := util.GenCertKeyFromOptions(util.CertOptions{
		TTL:          authorityLife,
		Org:          "cluster.local",
		IsCA:         true,
		IsSelfSigned: true,
		RSAKeySize:   keyBits,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(certificateFile, certificate, 0o644)
}
