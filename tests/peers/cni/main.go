// Istio's node agent without Kubernetes and without a CNI plugin: its pod cache, its ZDS server and its rule writer, as
// the Go module has them. See README.md.
package main

import (
	"flag"
	"fmt"
	"log"

	istiolog "istio.io/istio/pkg/log"
)

type options struct {
	socket  string
	control string
	rules   string
	dns     bool
	ipv6    bool
}

func main() {
	log.SetFlags(0)
	if err := run(parseFlags()); err != nil {
		log.Fatalf("the node agent cannot run: %v", err)
	}
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.socket, "socket", "", "path of the socket for proxies, which is made")
	flag.StringVar(&o.control, "control", "", "path of the control socket, which is made")
	flag.StringVar(&o.rules, "rules", "iptables", "rules in pods: iptables or nftables")
	flag.BoolVar(&o.dns, "dns", true, "capture DNS")
	flag.BoolVar(&o.ipv6, "ipv6", true, "rules for IPv6, too")
	flag.Parse()
	return o
}

// The program ends with its controller: it cannot be left behind. For proxies that is an agent that was killed.
func run(o options) error {
	if o.rules != "iptables" && o.rules != "nftables" {
		return fmt.Errorf("-rules=%q: wanted iptables or nftables", o.rules)
	}
	logging := istiolog.DefaultOptions()
	logging.SetDefaultOutputLevel("cni-agent", istiolog.DebugLevel)
	if err := istiolog.Configure(logging); err != nil {
		return err
	}
	a, err := newAgent(o)
	if err != nil {
		return err
	}
	listener, err := listenForCommands(o.control)
	if err != nil {
		return err
	}
	fmt.Println("awaiting commands")
	return obey(listener, a)
}
