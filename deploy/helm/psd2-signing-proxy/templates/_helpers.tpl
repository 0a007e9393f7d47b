{{- define "signing-proxy.name" -}}
psd2-signing-proxy
{{- end }}

{{- define "signing-proxy.fullname" -}}
{{- if contains (include "signing-proxy.name" .) .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "signing-proxy.name" .) | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "signing-proxy.selector" -}}
app.kubernetes.io/name: {{ include "signing-proxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "signing-proxy.labels" -}}
{{ include "signing-proxy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "signing-proxy.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "signing-proxy.fullname" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "signing-proxy.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "signing-proxy.securityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Files of secrets belong to root; their group is what lets user 65532 read them (allow_group_read). */}}
{{- define "signing-proxy.podSecurityContext" -}}
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
{{- end }}

{{- define "signing-proxy.probes" -}}
startupProbe:
  httpGet: {path: /startup, port: proxy-admin}
  periodSeconds: 1
  failureThreshold: 90
readinessProbe:
  httpGet: {path: /readyz, port: proxy-admin}
  periodSeconds: 5
livenessProbe:
  httpGet: {path: /livez, port: proxy-admin}
  periodSeconds: 10
  failureThreshold: 3
{{- end }}

{{/* Volumes and mounts of the secrets in .Values.secrets and of Vault's token. */}}
{{- define "signing-proxy.secretVolumes" -}}
{{- if .Values.secrets }}
- name: signing-proxy-secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range .Values.secrets }}
      - secret:
          name: {{ .name }}
          {{- with .items }}
          items:
            {{- range . }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
          {{- end }}
      {{- end }}
{{- end }}
{{- with .Values.vaultToken }}{{ if .enabled }}
- name: vault-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, audience: {{ .audience }}, expirationSeconds: {{ int .expirationSeconds }}}
{{- end }}{{ end }}
{{- end }}

{{- define "signing-proxy.secretMounts" -}}
{{- if .Values.secrets }}
- {name: signing-proxy-secrets, mountPath: /run/secrets/signing-proxy, readOnly: true}
{{- end }}
{{- if .Values.vaultToken.enabled }}
- {name: vault-token, mountPath: /run/secrets/vault, readOnly: true}
{{- end }}
{{- end }}
