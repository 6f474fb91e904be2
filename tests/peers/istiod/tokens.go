package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	authentication "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"istio.io/istio/pkg/kube"
)

// The claims of a service account token that is bound to a pod.
type claims struct {
	Audience   []string `json:"aud"`
	Expiry     int64    `json:"exp"`
	Kubernetes struct {
		Namespace string `json:"namespace"`
		Pod       struct {
			Name string `json:"name"`
			UID  string `json:"uid"`
		} `json:"pod"`
		ServiceAccount struct {
			Name string `json:"name"`
		} `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

// Lets the API server judge tokens as a real one does, but for the signature, which it takes as it is.
func reviewTokens(client kube.Client, api *apiServer) {
	review := func(action k8stesting.Action) (bool, runtime.Object, error) {
		asked, ok := action.(k8stesting.CreateAction).GetObject().(*authentication.TokenReview)
		if !ok {
			return true, nil, errors.New("not a TokenReview")
		}
		answer := asked.DeepCopy()
		user, err := authenticateToken(asked.Spec.Token, asked.Spec.Audiences, api)
		if err != nil {
			answer.Status = authentication.TokenReviewStatus{Error: err.Error()}
		} else {
			answer.Status = authentication.TokenReviewStatus{
				Authenticated: true,
				User:          user,
				Audiences:     asked.Spec.Audiences,
			}
		}
		return true, answer, nil
	}
	client.Kube().(interface {
		PrependReactor(verb, resource string, reaction k8stesting.ReactionFunc)
	}).PrependReactor("create", "tokenreviews", review)
}

func authenticateToken(token string, audiences []string, api *apiServer) (user authentication.UserInfo, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return user, errors.New("not a JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return user, err
	}
	var c claims
	if err := json.Unmarshal(text, &c); err != nil {
		return user, err
	}
	meant := func(audience string) bool { return slices.Contains(c.Audience, audience) }
	if !slices.ContainsFunc(audiences, meant) {
		return user, errors.New("the token is for another audience")
	}
	if time.Now().Unix() >= c.Expiry {
		return user, errors.New("the token has expired")
	}
	namespace, account, bound := c.Kubernetes.Namespace, c.Kubernetes.ServiceAccount.Name, c.Kubernetes.Pod
	pod := api.pod(namespace, bound.Name)
	if pod == nil || string(pod.UID) != bound.UID || pod.Spec.ServiceAccountName != account {
		return user, errors.New("the pod of the token does not exist")
	}
	return authentication.UserInfo{
		Username: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		Extra: map[string]authentication.ExtraValue{
			"authentication.kubernetes.io/pod-name": {bound.Name},
			"authentication.kubernetes.io/pod-uid":  {bound.UID},
		},
	}, nil
}
