package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"istio.io/istio/pilot/pkg/xds"
)

// How long the test may take to connect to the control socket.
const patience = time.Minute

// A command: one line of JSON.
type command struct {
	Do   string `json:"do"` // apply, delete, objects, clients, drop
	YAML string `json:"yaml"`
}

// Its answer: one line of JSON, too.
type answer struct {
	Done    []string `json:"done,omitempty"` // keys of objects, ids of connections
	Clients []client `json:"clients,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// A stream as istiod sees it.
type client struct {
	Node    string           `json:"node"`
	Address string           `json:"address"`
	Watches map[string]watch `json:"watches"` // by type URL
}

type watch struct {
	Wildcard bool     `json:"wildcard"`
	Names    []string `json:"names"`
	Sent     string   `json:"sent"`  // nonce
	Acked    string   `json:"acked"` // nonce
	Error    string   `json:"error"` // of the last NACK that no ACK has followed
}

// Serves one controller. When that one goes, or none comes, the process ends: it cannot be left behind.
func listenForCommands(path string, api *apiServer, discovery *xds.DiscoveryServer) error {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	if err := listener.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatalf("nobody took control: %v", err)
		}
		obey(connection, api, discovery)
		os.Exit(0)
	}()
	return nil
}

func obey(connection net.Conn, api *apiServer, discovery *xds.DiscoveryServer) {
	for in, out := bufio.NewReader(connection), json.NewEncoder(connection); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		if err := out.Encode(execute(line, api, discovery)); err != nil {
			return
		}
	}
}

func execute(line []byte, api *apiServer, discovery *xds.DiscoveryServer) answer {
	var c command
	if err := json.Unmarshal(line, &c); err != nil {
		return answer{Error: err.Error()}
	}
	switch c.Do {
	case "apply":
		return told(api.apply([]byte(c.YAML)))
	case "delete":
		return told(api.delete([]byte(c.YAML)))
	case "objects":
		return answer{Done: api.keys()}
	case "clients":
		return answer{Clients: clients(discovery)}
	case "drop":
		return answer{Done: drop(discovery)}
	default:
		return answer{Error: fmt.Sprintf("no such command: %q", c.Do)}
	}
}

func told(done []string, err error) answer {
	if err != nil {
		return answer{Done: done, Error: err.Error()}
	}
	return answer{Done: done}
}

// Ends every stream, as istiod does when it wants a client to go elsewhere.
func drop(discovery *xds.DiscoveryServer) []string {
	var ended []string
	for _, connection := range discovery.Clients() {
		connection.Stop()
		ended = append(ended, connection.ID())
	}
	return ended
}

func clients(discovery *xds.DiscoveryServer) []client {
	var all []client
	for _, connection := range discovery.Clients() {
		proxy := connection.Proxy()
		if proxy == nil { // it has not said who it is
			continue
		}
		one := client{Node: proxy.ID, Address: connection.Peer(), Watches: map[string]watch{}}
		for url, resource := range proxy.DeepCloneWatchedResources() {
			one.Watches[url] = watch{
				Wildcard: resource.Wildcard,
				Names:    resource.ResourceNames.UnsortedList(),
				Sent:     resource.NonceSent,
				Acked:    resource.NonceAcked,
				Error:    resource.LastError,
			}
		}
		all = append(all, one)
	}
	return all
}
