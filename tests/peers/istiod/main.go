// Istiod without Kubernetes: its discovery server and its certificate authority, as the Go module has them, over a
// cluster that is pretended. See README.md.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	istiogrpc "istio.io/istio/pilot/pkg/grpc"
	pilot "istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/keepalive"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/security"
	"istio.io/istio/security/pkg/server/ca/authenticate"
	"istio.io/istio/security/pkg/server/ca/authenticate/kubeauth"
)

const clusterID = cluster.ID("Kubernetes")

// Features of istiod are read from the environment while its packages are initialised, before main.
var environment = map[string]string{
	"PILOT_ENABLE_AMBIENT":                        "true",
	"CA_TRUSTED_NODE_ACCOUNTS":                    "istio-system/ztunnel",
	"POD_NAMESPACE":                               "istio-system",
	"AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY": "true",
}

type options struct {
	state    string
	control  string
	plain    string
	tls      string
	mesh     string
	objects  []string
	debounce time.Duration
	maxAge   time.Duration
}

// What the one line on standard output says once everything listens.
type ready struct {
	Plain string `json:"plain"` // address of the plaintext port
	TLS   string `json:"tls"`   // address of the port for xDS and CSRs with authentication
	Root  string `json:"root"`  // file with the root certificate
}

func main() {
	log.SetFlags(0)
	setEnvironment()
	if err := run(parseFlags()); err != nil {
		log.Fatalf("istiod cannot start: %v", err)
	}
}

// Starts the program once more where the environment lacks something. Values that are set win.
func setEnvironment() {
	complete := true
	for name, value := range environment {
		if _, set := os.LookupEnv(name); !set {
			complete = false
			os.Setenv(name, value)
		}
	}
	if complete {
		return
	}
	program, err := os.Executable()
	if err == nil {
		err = syscall.Exec(program, os.Args, os.Environ())
	}
	log.Fatalf("cannot start again with istiod's environment: %v", err)
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.state, "state", "", "folder for what outlives a restart: objects and the authority's key")
	flag.StringVar(&o.control, "control", "", "path of the control socket, which is made")
	flag.StringVar(&o.plain, "plain", "127.0.0.1:0", "address for xDS without authentication")
	flag.StringVar(&o.tls, "tls", "127.0.0.1:0", "address for xDS and CSRs over TLS with tokens")
	flag.StringVar(&o.mesh, "mesh", "", "file with a MeshConfig; the rest is istiod's default")
	flag.DurationVar(&o.debounce, "debounce", 0, "how long changes are collected before a push; istiod's default is 100ms")
	flag.DurationVar(&o.maxAge, "max-age", 0, "age at which connections are ended; 0: istiod's default")
	flag.Parse()
	o.objects = flag.Args()
	return o
}

func run(o options) error {
	meshConfig := mesh.DefaultMeshConfig()
	if o.mesh != "" {
		text, err := os.ReadFile(o.mesh)
		if err != nil {
			return err
		}
		if meshConfig, err = mesh.ApplyMeshConfigDefaults(string(text)); err != nil {
			return err
		}
	}

	api, err := openAPIServer(o.state, o.objects)
	if err != nil {
		return err
	}
	discovery := pilot.NewFakeDiscoveryServer(&failer{}, pilot.FakeOptions{
		DefaultClusterName: clusterID,
		KubernetesObjects:  api.copies(),
		MeshConfig:         meshConfig,
		DebounceTime:       o.debounce,
		KubeClientModifier: func(client kube.Client) { reviewTokens(client, api) },
	})
	client := discovery.KubeClient()
	api.serve(client)

	// The order istiod has them in.
	authenticators := []security.Authenticator{
		&authenticate.ClientCertAuthenticator{},
		kubeauth.NewKubeJWTAuthenticator(meshwatcher.NewTestWatcher(meshConfig), client.Kube(), clusterID, nil, nil),
	}
	discovery.Discovery.Authenticators = authenticators
	authority, err := openAuthority(o.state, client, authenticators)
	if err != nil {
		return err
	}

	connections := keepalive.DefaultOption()
	if o.maxAge > 0 {
		connections.MaxServerConnectionAge = o.maxAge
		connections.MaxServerConnectionAgeGrace = time.Second // istiod's own: ten
	}
	newServer := func(more ...grpc.ServerOption) *grpc.Server {
		server := grpc.NewServer(append(istiogrpc.ServerOptions(connections, func(int64) {}), more...)...)
		discovery.Discovery.Register(server)
		return server
	}
	plain := newServer()
	secured := newServer(grpc.Creds(credentials.NewTLS(authority.tls)))
	authority.service.Register(secured)

	said := ready{Root: authority.rootFile}
	if said.Plain, err = listen(plain, o.plain); err != nil {
		return err
	}
	if said.TLS, err = listen(secured, o.tls); err != nil {
		return err
	}
	if err := listenForCommands(o.control, api, discovery.Discovery); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil {
		return err
	}

	// As a killed process: whoever is connected is not told.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	return nil
}

func listen(server *grpc.Server, address string) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	go func() { log.Fatalf("gRPC on %s: %v", listener.Addr(), server.Serve(listener)) }()
	return listener.Addr().String(), nil
}
