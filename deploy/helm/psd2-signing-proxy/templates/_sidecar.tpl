{{/*
The proxy beside an application, for charts that have this one as a dependency (with gateway.enabled: false):

    {{- $proxy := index .Subcharts "psd2-signing-proxy" }}
    spec:
      securityContext: {{- include "signing-proxy.podSecurityContext" $proxy | nindent 8 }}
      initContainers:  {{- include "signing-proxy.sidecar.container" $proxy | nindent 8 }}
      containers:
        - name: app
          env:          {{- include "signing-proxy.sidecar.environment" $proxy | nindent 12 }}
          volumeMounts: {{- include "signing-proxy.sidecar.clientMounts" $proxy | nindent 12 }}
      volumes: {{- include "signing-proxy.sidecar.volumes" $proxy | nindent 8 }}

deploy/kustomize says in its comments why it is so.
*/}}

{{- define "signing-proxy.sidecar.container" -}}
- name: signing-proxy
  image: {{ include "signing-proxy.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  restartPolicy: Always
  args: [run]
  env:
    - name: SIGNING_PROXY_CONFIG_FILE
      value: /etc/signing-proxy/config.yaml
    - name: SIGNING_PROXY_ADMIN_ADDRESS
      value: 0.0.0.0
    - name: SIGNING_PROXY_CA_DIRECTORY
      value: /var/lib/signing-proxy/ca
    - name: SIGNING_PROXY_MIN_SIGTERM_DELAY
      value: "0"
  ports:
    - {name: proxy-admin, containerPort: 9090}
  {{- include "signing-proxy.probes" . | nindent 2 }}
  resources: {{- toYaml .Values.sidecar.resources | nindent 4 }}
  securityContext: {{- include "signing-proxy.securityContext" . | nindent 4 }}
  volumeMounts:
    - {name: signing-proxy-config, mountPath: /etc/signing-proxy, readOnly: true}
    {{- include "signing-proxy.secretMounts" . | nindent 4 }}
    - {name: signing-proxy-ca, mountPath: /var/lib/signing-proxy}
{{- end }}

{{- define "signing-proxy.sidecar.volumes" -}}
- name: signing-proxy-config
  configMap: {name: {{ .Values.sidecar.configMap }}}
{{- include "signing-proxy.secretVolumes" . }}
- name: signing-proxy-ca
  emptyDir: {medium: Memory, sizeLimit: 4Mi}
{{- end }}

{{- define "signing-proxy.sidecar.environment" -}}
{{- range list "HTTP_PROXY" "http_proxy" "HTTPS_PROXY" "https_proxy" }}
- {name: {{ . }}, value: "http://127.0.0.1:8080"}
{{- end }}
{{- range list "NO_PROXY" "no_proxy" }}
- {name: {{ . }}, value: "localhost,127.0.0.1,::1,.svc,.cluster.local"}
{{- end }}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "CURL_CA_BUNDLE" }}
- {name: {{ . }}, value: /run/signing-proxy-ca/bundle.pem}
{{- end }}
- {name: NODE_EXTRA_CA_CERTS, value: /run/signing-proxy-ca/ca.pem}
- {name: NODE_USE_ENV_PROXY, value: "1"}
- name: JAVA_TOOL_OPTIONS
  value: >-
    -Djavax.net.ssl.trustStore=/run/signing-proxy-ca/truststore.p12
    -Djavax.net.ssl.trustStorePassword=changeit
    -Djavax.net.ssl.trustStoreType=PKCS12
    -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=8080
    -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=8080
    -Dhttp.nonProxyHosts=localhost|127.*|[::1]|*.svc|*.cluster.local
{{- end }}

{{- define "signing-proxy.sidecar.clientMounts" -}}
{{- range list "bundle.pem" "ca.pem" "truststore.p12" }}
- {name: signing-proxy-ca, mountPath: /run/signing-proxy-ca/{{ . }}, subPath: ca/{{ . }}, readOnly: true}
{{- end }}
{{- end }}
