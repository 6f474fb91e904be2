package main

import (
	"context"
	"time"
	"unsafe"

	corev1 "k8s.io/api/core/v1"

	"istio.io/istio/cni/pkg/nodeagent"
	"istio.io/istio/cni/pkg/trafficmanager"
)

// The parts of the node agent that its package keeps to itself, reached by the names of their symbols. A pointer to a
// type without an exported name is an unsafe.Pointer here. With one of them gone or of another shape in a new version,
// the program does not link, or its first test fails.

//go:linkname newPodNetnsCache istio.io/istio/cni/pkg/nodeagent.newPodNetnsCache
func newPodNetnsCache(open func(path string) (nodeagent.NetnsCloser, error)) unsafe.Pointer

//go:linkname readCurrentPodSnapshot istio.io/istio/cni/pkg/nodeagent.(*podNetnsCache).ReadCurrentPodSnapshot
func readCurrentPodSnapshot(cache unsafe.Pointer) map[string]nodeagent.WorkloadInfo

//go:linkname newZtunnelServer istio.io/istio/cni/pkg/nodeagent.newZtunnelServer
func newZtunnelServer(path string, pods nodeagent.PodNetnsCache, keepalive time.Duration) (unsafe.Pointer, error)

//go:linkname runZtunnelServer istio.io/istio/cni/pkg/nodeagent.(*ztunnelServer).Run
func runZtunnelServer(server unsafe.Pointer, ctx context.Context)

//go:linkname podAdded istio.io/istio/cni/pkg/nodeagent.(*ztunnelServer).PodAdded
func podAdded(server unsafe.Pointer, ctx context.Context, pod *corev1.Pod, at nodeagent.Netns) error

//go:linkname podDeleted istio.io/istio/cni/pkg/nodeagent.(*ztunnelServer).PodDeleted
func podDeleted(server unsafe.Pointer, ctx context.Context, uid string) error

//go:linkname closeZtunnelServer istio.io/istio/cni/pkg/nodeagent.(*ztunnelServer).Close
func closeZtunnelServer(server unsafe.Pointer) error

//go:linkname newNetServer istio.io/istio/cni/pkg/nodeagent.newNetServer
func newNetServer(
	server nodeagent.ZtunnelServer,
	cache unsafe.Pointer,
	rules trafficmanager.TrafficRuleManager,
	finder nodeagent.PodNetnsFinder,
) *nodeagent.NetServer

// Is a nodeagent.PodNetnsCache.
type podCache struct{ real unsafe.Pointer }

func (c podCache) ReadCurrentPodSnapshot() map[string]nodeagent.WorkloadInfo {
	return readCurrentPodSnapshot(c.real)
}

// Is a nodeagent.ZtunnelServer.
type zdsServer struct{ real unsafe.Pointer }

func (s zdsServer) Run(ctx context.Context) { runZtunnelServer(s.real, ctx) }
func (s zdsServer) Close() error            { return closeZtunnelServer(s.real) }

func (s zdsServer) PodAdded(ctx context.Context, pod *corev1.Pod, at nodeagent.Netns) error {
	return podAdded(s.real, ctx, pod, at)
}

func (s zdsServer) PodDeleted(ctx context.Context, uid string) error {
	return podDeleted(s.real, ctx, uid)
}
