{{- /* Parts of what keeps data. */ -}}

{{- /* Without -h, the temporary server that initdb starts would count as ready. */ -}}
{{- define "stack.postgresCheck" -}}
exec:
  command:
    - pg_isready
    - --timeout=2
    - --host=127.0.0.1
    - {{ printf "--username=%s" .env.POSTGRES_USER | quote }}
    - {{ printf "--dbname=%s" .env.POSTGRES_DB | quote }}
timeoutSeconds: 3
{{- end }}

{{- define "stack.s3Check" -}}
{{- if .ready -}}
httpGet:
  path: {{ .ready | quote }}
  port: s3
{{- else -}}
tcpSocket:
  port: s3
{{- end }}
timeoutSeconds: 3
{{- end }}

{{- /* A volume with data, the claim `claim`. It belongs to the release, but outlives it. */ -}}
{{- define "stack.volume" }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .claim }}
  labels: {{- include "stack.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storage.className }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources:
    requests:
      storage: {{ .storage.size | quote }}
{{- end }}
