module qrpay.invalid/k8s/check/crds

go 1.24.0
