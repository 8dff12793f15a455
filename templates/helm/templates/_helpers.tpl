{{- /* Parts that several manifests have in common. Each takes a dictionary: `root` is the chart's top
level, `name` that of the service, which is also the name of its objects. */ -}}

{{- define "stack.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end }}

{{- /* Pods that the policies let connect to each other. */ -}}
{{- define "stack.members" -}}
app.kubernetes.io/part-of: mlflow-compose
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Without the chart's version: a new one does not replace pods by itself. */ -}}
{{- define "stack.podLabels" -}}
{{ include "stack.selector" . }}
app.kubernetes.io/part-of: mlflow-compose
mlflow-compose.stack: {{ .root.Values.stackId | quote }}
{{- end }}

{{- define "stack.labels" -}}
{{ include "stack.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- /* A changed Secret replaces the pods that read it. `lookup` finds nothing without a cluster. */ -}}
{{- define "stack.annotations" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- $version := dict "mlflow-compose/secret-version" (dig "metadata" "resourceVersion" "none" ($secret | default dict)) -}}
{{ toYaml (merge $version .root.Values.pods.annotations) }}
{{- end }}

{{- /* What every pod has: the `restricted` Pod Security Standard, and the user's choices. */ -}}
{{- define "stack.pod" -}}
{{- $pods := .root.Values.pods -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | int64 }}
  runAsGroup: {{ .user | int64 }}
  # The group of volumes and of the files of Secrets.
  fsGroup: {{ .user | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $pods.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "stack.container" -}}
imagePullPolicy: {{ .root.Values.pods.imagePullPolicy }}
resources: {{- toYaml .resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- define "stack.env" -}}
{{- range $name, $value := . }}
- name: {{ $name | quote }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- /* A container of MLflow's image, or of `image`: `env`, `resources`, `secret` or the volume `secrets` with some of its files,
and the ConfigMap `programs` with what it runs, in a folder of the same name. Volumes can be added to the
end. */ -}}
{{- define "stack.mlflow" -}}
{{- $env := merge (dict "SECRETS_DIR" .root.Values.secretsFolder) .env -}}
image: {{ .image | default .root.Values.mlflow.image | quote }}
{{ include "stack.container" . }}
env: {{- include "stack.env" $env | trim | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if .secret }}
  - name: {{ .secrets | default "secrets" }}
    mountPath: {{ .root.Values.secretsFolder | quote }}
    readOnly: true
  {{- end }}
  {{- with .programs }}
  - name: programs
    mountPath: /{{ . }}
    readOnly: true
  {{- end }}
{{- end }}

{{- /* Its volumes, with the files of `secret`. */ -}}
{{- define "stack.mlflowVolumes" -}}
# Artifacts pass through it: on disk, because some are larger than memory.
- name: tmp
  emptyDir: {}
{{- with .secret }}
- name: secrets
  secret:
    secretName: {{ . | quote }}
    defaultMode: 0440
{{- end }}
{{- if .programs }}
- name: programs
  configMap:
    name: {{ .programs }}
    {{- with .paths }}
    # Keys have no slashes.
    items: {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}

{{- /* The programs of a job below files/, as keys of a ConfigMap with the paths that they are mounted at. */ -}}
{{- define "stack.paths" -}}
{{- $folder := printf "files/%s/" .name -}}
{{- $paths := list -}}
{{- range $path, $_ := .root.Files.Glob (printf "%s**" $folder) }}
{{- $path = trimPrefix $folder $path }}
{{- $paths = append $paths (dict "key" (replace "/" "." $path) "path" $path) }}
{{- end -}}
{{- $paths | toJson -}}
{{- end }}

{{- define "stack.programs" -}}
{{- range .paths }}
{{ .key }}: {{ $.root.Files.Get (printf "files/%s/%s" $.name .path) | quote }}
{{- end }}
{{- end }}

{{- /* Names outside of the cluster by which browsers reach MLflow. */ -}}
{{- define "stack.publicHosts" -}}
{{- $hosts := list -}}
{{- if .Values.ingress.enabled }}{{ $hosts = append $hosts .Values.ingress.host }}{{ end -}}
{{- if .Values.gateway.enabled }}{{ $hosts = append $hosts .Values.gateway.host }}{{ end -}}
{{- $hosts | uniq | toJson -}}
{{- end }}

{{- /* The arguments of the server, which also accepts requests to its names in the cluster and outside. */ -}}
{{- define "stack.mlflowArgs" -}}
{{- $public := include "stack.publicHosts" . | fromJsonArray -}}
{{- $service := printf "mlflow.%s" .Release.Namespace -}}
{{- $names := list $service (printf "%s.svc" $service) (printf "%s.svc.%s" $service .Values.pods.clusterDomain) -}}
{{- $hosts := list -}}
{{- range concat $names $public .Values.mlflow.hosts }}{{ $hosts = concat $hosts (list . (printf "%s:*" .)) }}{{ end -}}
{{- $origins := list -}}
{{- range concat $public .Values.mlflow.hosts }}{{ $origins = append $origins (printf "https://%s" .) }}{{ end -}}
{{- $args := list -}}
{{- $withOrigins := false -}}
{{- range .Values.mlflow.args }}
{{- if hasPrefix "--allowed-hosts=" . }}
{{- $args = append $args (printf "%s,%s" . (join "," $hosts)) }}
{{- else if and $origins (hasPrefix "--cors-allowed-origins=" .) }}
{{- $withOrigins = true }}
{{- $args = append $args (printf "%s,%s" . (join "," $origins)) }}
{{- else }}
{{- $args = append $args . }}
{{- end }}
{{- end }}
{{- if and $origins (not $withOrigins) }}
{{- $args = append $args (printf "--cors-allowed-origins=%s" (join "," $origins)) }}
{{- end }}
{{- toYaml $args -}}
{{- end }}

{{- /* Not empty if the policies keep pods of other namespaces, and all outside, away from MLflow. */ -}}
{{- define "stack.onlyThisNamespace" -}}
{{- $clients := .Values.networkPolicy.clients -}}
{{- $outside := empty $clients -}}
{{- range $clients }}{{ $outside = or $outside (hasKey . "namespaceSelector") (hasKey . "ipBlock") }}{{ end -}}
{{- if and .Values.networkPolicy.enabled (not $outside) }}true{{ end -}}
{{- end }}
