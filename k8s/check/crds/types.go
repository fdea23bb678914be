// Package crds pins the Go types of the custom resources that the manifests use. controller-gen makes
// of them what their projects make of them: the schema that a cluster checks the resources with.
package crds

import (
	_ "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)
