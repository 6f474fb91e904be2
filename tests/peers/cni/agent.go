package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"istio.io/istio/cni/pkg/config"
	"istio.io/istio/cni/pkg/iptables"
	"istio.io/istio/cni/pkg/nodeagent"
	"istio.io/istio/cni/pkg/trafficmanager"
	"istio.io/istio/pkg/zdsapi"
	"istio.io/istio/tools/istio-iptables/pkg/dependencies"
)

const (
	// As the agent has it: how often it looks whether a silent proxy is still there.
	keepalive = 5 * time.Second
	// How long one announcement may take: more than the agent's own limit for an answer.
	patience = 20 * time.Second
)

// A pod of the node, as the one who controls us names it.
type pod struct {
	UID            string            `json:"uid"`
	Name           string            `json:"name"`
	Namespace      string            `json:"namespace"`
	ServiceAccount string            `json:"serviceAccount"`
	Annotations    map[string]string `json:"annotations"`
	Netns          string            `json:"netns"` // path; empty: the agent has not found it
}

// As the API server would tell of it.
func (p pod) object() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			UID:         types.UID(p.UID),
			Name:        p.Name,
			Namespace:   p.Namespace,
			Annotations: p.Annotations,
		},
		Spec: corev1.PodSpec{ServiceAccountName: p.ServiceAccount},
	}
}

// Istio's node agent below its informers: pod cache, ZDS server, rule writer.
type agent struct {
	cache  podCache
	server *nodeagent.NetServer
	found  namespaces
}

func newAgent(o options) (*agent, error) {
	rules, err := newRules(o)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	cache := podCache{newPodNetnsCache(nodeagent.OpenNetns)}
	zds, err := newZtunnelServer(o.socket, cache, keepalive)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	found := namespaces{}
	return &agent{cache, newNetServer(zdsServer{zds}, cache.real, rules, found), found}, nil
}

func newRules(o options) (trafficmanager.TrafficRuleManager, error) {
	host := config.AmbientConfig{
		RedirectDNS:            o.dns,
		EnableIPv6:             o.ipv6,
		HostProbeSNATAddress:   netip.MustParseAddr(nodeagent.DefaultHostProbeSNATIP),
		HostProbeV6SNATAddress: netip.MustParseAddr(nodeagent.DefaultHostProbeSNATIPV6),
	}
	inPod := host
	inPod.Reconcile = true
	// Left to itself, the choice of a backend leaves empty tables behind, which decide the next choice.
	const backend = "nft"
	_, rules, err := trafficmanager.NewTrafficRuleManager(&trafficmanager.TrafficRuleManagerConfig{
		NativeNftables: o.rules == "nftables",
		HostConfig:     &host,
		PodConfig:      &inPod,
		HostDeps:       &dependencies.RealDependencies{ForceIptablesBinary: backend},
		PodDeps:        &dependencies.RealDependencies{ForceIptablesBinary: backend, UsePodScopedXtablesLock: true},
		NlDeps:         iptables.RealNlDeps(),
	})
	return rules, err
}

// What the agent does when it starts: takes stock of the pods that are there, whose rules it checks, and only then
// talks to proxies.
func (a *agent) start(pods []pod) error {
	var objects []*corev1.Pod
	for _, p := range pods {
		a.found[p.UID] = p.Netns
		objects = append(objects, p.object())
	}
	if err := a.server.ConstructInitialSnapshot(objects); err != nil {
		return err
	}
	a.server.Start(context.Background())
	return nil
}

// Rules first, then the announcement. An error after the rules leaves the pod in the cache, as the agent does.
func (a *agent) add(p pod) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return a.server.AddPodToMesh(ctx, p.object(), nil, p.Netns)
}

// The pod leaves the mesh, or ends: then nobody touches its namespace.
func (a *agent) remove(p pod, ended bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return a.server.RemovePodFromMesh(ctx, p.object(), ended)
}

// What the next proxy will be told: of each pod whether its namespace is known.
func (a *agent) pods() map[string]bool {
	known := map[string]bool{}
	for uid, workload := range a.cache.ReadCurrentPodSnapshot() {
		known[uid] = workload.Netns != nil
	}
	return known
}

// Stands in for the search through the node's processes: paths by uid. Is a nodeagent.PodNetnsFinder.
type namespaces map[string]string

func (n namespaces) FindNetnsForPods(wanted map[types.UID]*corev1.Pod) (nodeagent.PodToNetns, error) {
	found := nodeagent.PodToNetns{}
	for uid, object := range wanted {
		path := n[string(uid)]
		if path == "" {
			continue
		}
		opened, err := nodeagent.OpenNetns(path)
		if err != nil {
			return nil, err
		}
		found[string(uid)] = nodeagent.WorkloadInfo{
			Workload: &zdsapi.WorkloadInfo{
				Name:           object.Name,
				Namespace:      object.Namespace,
				ServiceAccount: object.Spec.ServiceAccountName,
			},
			Netns: opened,
		}
	}
	return found, nil
}
