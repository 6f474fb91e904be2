package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	k8stesting "k8s.io/client-go/testing"

	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/kube"
)

// The pretended Kubernetes API server. It knows what the client's informers are told, and writes each object to a folder
// so that a restarted istiod finds it again.
type apiServer struct {
	folder string

	mu       sync.Mutex
	client   kube.Client // nil until serve
	objects  map[string]runtime.Object
	revision int64
}

// An object with the names by which it is found.
type named struct {
	object runtime.Object
	meta   metav1.Object
	kind   schema.GroupVersionKind
}

// Kind/namespace/name. Groups are left out: no two kinds we use differ by it alone.
func (n named) key() string {
	return fmt.Sprintf("%s/%s/%s", n.kind.Kind, n.meta.GetNamespace(), n.meta.GetName())
}

// Reads the objects of an earlier life from the folder, then those of the files.
func openAPIServer(state string, files []string) (*apiServer, error) {
	api := &apiServer{folder: filepath.Join(state, "objects"), objects: map[string]runtime.Object{}}
	if err := os.MkdirAll(api.folder, 0o755); err != nil {
		return nil, err
	}
	kept, err := filepath.Glob(filepath.Join(api.folder, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range append(kept, files...) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if _, err := api.apply(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return api, nil
}

// From here on changes reach the informers of this client.
func (api *apiServer) serve(client kube.Client) {
	api.mu.Lock()
	defer api.mu.Unlock()
	api.client = client
}

// Copies of all objects, for a client to begin with.
func (api *apiServer) copies() []runtime.Object {
	api.mu.Lock()
	defer api.mu.Unlock()
	all := make([]runtime.Object, 0, len(api.objects))
	for _, object := range api.objects {
		all = append(all, object.DeepCopyObject())
	}
	return all
}

// Creates or replaces what the YAML documents say. Returns the keys of what was done, also when it fails half-way.
func (api *apiServer) apply(text []byte) ([]string, error) {
	return api.each(text, api.put)
}

// Deletes what the YAML documents name.
func (api *apiServer) delete(text []byte) ([]string, error) {
	return api.each(text, api.remove)
}

func (api *apiServer) each(text []byte, do func(named) error) ([]string, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	all, err := decode(text)
	if err != nil {
		return nil, err
	}
	var done []string
	for _, one := range all {
		if err := do(one); err != nil {
			return done, fmt.Errorf("%s: %w", one.key(), err)
		}
		done = append(done, one.key())
	}
	return done, nil
}

func (api *apiServer) put(one named) error {
	api.complete(one)
	text, err := json.Marshal(one.object)
	if err != nil {
		return err
	}
	if err := os.WriteFile(api.file(one), text, 0o644); err != nil {
		return err
	}
	api.objects[one.key()] = one.object
	if api.client == nil {
		return nil
	}
	tracker, resource := api.tracker(one.kind)
	err = tracker.Create(resource, one.object.DeepCopyObject(), one.meta.GetNamespace())
	if kerrors.IsAlreadyExists(err) {
		err = tracker.Update(resource, one.object.DeepCopyObject(), one.meta.GetNamespace())
	}
	return err
}

func (api *apiServer) remove(one named) error {
	if api.objects[one.key()] == nil {
		return errors.New("there is no such object")
	}
	delete(api.objects, one.key())
	if err := os.Remove(api.file(one)); err != nil {
		return err
	}
	tracker, resource := api.tracker(one.kind)
	return tracker.Delete(resource, one.meta.GetNamespace(), one.meta.GetName())
}

func (api *apiServer) file(one named) string {
	return filepath.Join(api.folder, strings.ReplaceAll(one.key(), "/", "_")+".json")
}

func (api *apiServer) pod(namespace, name string) *corev1.Pod {
	api.mu.Lock()
	defer api.mu.Unlock()
	pod, _ := api.objects[fmt.Sprintf("Pod/%s/%s", namespace, name)].(*corev1.Pod)
	return pod
}

func (api *apiServer) keys() []string {
	api.mu.Lock()
	defer api.mu.Unlock()
	keys := make([]string, 0, len(api.objects))
	for key := range api.objects {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// Istio's client is made of several fake clientsets, each with the objects of some API groups.
func (api *apiServer) tracker(kind schema.GroupVersionKind) (k8stesting.ObjectTracker, schema.GroupVersionResource) {
	resource, known := gvk.ToGVR(config.FromKubernetesGVK(kind))
	if !known {
		resource, _ = meta.UnsafeGuessKindToResource(kind)
	}
	if resource.Group == "core" { // istio's name for what has none
		resource.Group = ""
	}
	var clientset any = api.client.Kube()
	switch {
	case strings.HasSuffix(kind.Group, "istio.io"):
		clientset = api.client.Istio()
	case kind.Group == "gateway.networking.k8s.io":
		clientset = api.client.GatewayAPI()
	}
	return clientset.(interface {
		Tracker() k8stesting.ObjectTracker
	}).Tracker(), resource
}

// What a real API server, a scheduler and a kubelet would have filled in.
func (api *apiServer) complete(one named) {
	api.revision++
	one.meta.SetResourceVersion(fmt.Sprint(api.revision))
	if old, err := meta.Accessor(api.objects[one.key()]); err == nil {
		one.meta.SetCreationTimestamp(old.GetCreationTimestamp())
	}
	if created := one.meta.GetCreationTimestamp(); created.IsZero() {
		// Rising, and the same in every run: istiod prefers the oldest of several.
		one.meta.SetCreationTimestamp(metav1.NewTime(time.Unix(1_700_000_000+api.revision, 0)))
	}
	if one.meta.GetUID() == "" {
		one.meta.SetUID(types.UID("uid-of-" + one.meta.GetNamespace() + "-" + one.meta.GetName()))
	}
	switch object := one.object.(type) {
	case *corev1.Service:
		completeService(&object.Spec)
	case *corev1.Pod:
		completePod(&object.Spec, &object.Status)
	}
}

func completeService(spec *corev1.ServiceSpec) {
	if len(spec.ClusterIPs) == 0 && spec.ClusterIP != "" {
		spec.ClusterIPs = []string{spec.ClusterIP}
	}
	for i := range spec.Ports {
		if port := &spec.Ports[i]; port.Protocol == "" {
			port.Protocol = corev1.ProtocolTCP
		}
	}
}

func completePod(spec *corev1.PodSpec, status *corev1.PodStatus) {
	if spec.ServiceAccountName == "" {
		spec.ServiceAccountName = "default"
	}
	for i := range spec.Containers {
		for j := range spec.Containers[i].Ports {
			if port := &spec.Containers[i].Ports[j]; port.Protocol == "" {
				port.Protocol = corev1.ProtocolTCP
			}
		}
	}
	if status.PodIP == "" && len(status.PodIPs) > 0 {
		status.PodIP = status.PodIPs[0].IP
	}
	if status.Phase == "" {
		status.Phase = corev1.PodRunning
	}
	for _, condition := range status.Conditions {
		if condition.Type == corev1.PodReady {
			return
		}
	}
	status.Conditions = append(status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
}

// The objects of a stream of YAML (or JSON) documents.
func decode(text []byte) ([]named, error) {
	var all []named
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if isEmpty(document) {
			continue
		}
		object, kind, err := kube.IstioCodec.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		accessor, err := meta.Accessor(object)
		if err != nil {
			return nil, err
		}
		object.GetObjectKind().SetGroupVersionKind(*kind)
		all = append(all, named{object: object, meta: accessor, kind: *kind})
	}
}

// Comments only.
func isEmpty(document []byte) bool {
	for _, line := range strings.Split(string(document), "\n") {
		if line = strings.TrimSpace(line); line != "" && line != "---" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
