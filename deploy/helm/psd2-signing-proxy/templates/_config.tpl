{{/* config.yaml of the gateway: what the user wrote, and over it what the chart must know itself. */}}
{{- define "signing-proxy.config" -}}
{{- $gateway := .Values.gateway }}
{{- $clients := $gateway.clients }}
{{- $name := include "signing-proxy.fullname" . }}
{{- $hosts := list }}
{{- range list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace)
                (printf "%s.%s.svc.cluster.local" $name .Release.Namespace) }}
{{- $hosts = concat $hosts (list . (printf "%s:%d" . (int $gateway.service.port))) }}
{{- end }}
{{- $ours := dict
    "address" "0.0.0.0" "port" 8080 "admin_address" "0.0.0.0" "admin_port" 9090
    "allowed_hosts" (concat $hosts $gateway.allowedHosts | uniq)
    "min_sigterm_delay" $gateway.minSigtermDelay "max_sigterm_delay" $gateway.maxSigtermDelay
    "token_allow_group_read" true }}
{{- if $clients.tokenSecret }}
{{- $_ := set $ours "client_token_file" "/run/secrets/clients/tokens" }}
{{- end }}
{{- if $clients.tlsSecret }}
{{- $tls := dict "certificate_file" "/run/secrets/tls/tls.crt" "key_file" "/run/secrets/tls/tls.key"
                 "allow_group_read" true }}
{{- if $clients.certificates }}
{{- $_ := set $tls "client_ca_file" "/run/secrets/tls/ca.crt" }}
{{- with $clients.names }}{{ $_ := set $tls "client_names" . }}{{ end }}
{{- end }}
{{- $_ := set $ours "tls" $tls }}
{{- end }}
{{- if $gateway.interceptionSecret }}
{{- $_ := set $ours "ca_certificate_file" "/run/secrets/interception/tls.crt" }}
{{- $_ := set $ours "ca_key_file" "/run/secrets/interception/tls.key" }}
{{- $_ := set $ours "ca_allow_group_read" true }}
{{- end }}
{{- if .Values.vaultToken.enabled }}
{{- $_ := set $ours "vault" (dict "kubernetes" (dict "jwt_file" "/run/secrets/vault/token")) }}
{{- end }}
{{- $theirs := deepCopy .Values.config }}
{{/* The bank's limit is the company's: each replica takes its part of it, rounded down. */}}
{{- if kindIs "map" $theirs.shaping }}
{{- $replicas := ternary $gateway.autoscaling.maxReplicas $gateway.replicas $gateway.autoscaling.enabled }}
{{- $_ := set $ours "shaping" (dict "share" ($theirs.shaping.share | default (divf (floor (divf 10000 $replicas)) 10000))) }}
{{- end }}
{{- if kindIs "string" $theirs.vault }}
{{- $_ := set $theirs "vault" (dict "address" $theirs.vault) }}
{{- end }}
{{- mergeOverwrite (dict "structured_logs" true) $theirs $ours | toYaml }}
{{- end }}
