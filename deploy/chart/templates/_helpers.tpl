{{/* Short enough for the topics Job, which adds 16 characters of the 63 that a name may have. */}}
{{- define "sms-connector.name" -}}
{{- if contains "sms-connector" .Release.Name -}}
{{- .Release.Name | trunc 46 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-sms-connector" (.Release.Name | trunc 32 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* What a Deployment selects by: must never change. */}}
{{- define "sms-connector.selector" -}}
app.kubernetes.io/name: sms-connector
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{/* Likewise of the Deployments of the way back: part is receive or receipts. */}}
{{- define "sms-connector.part" -}}
app.kubernetes.io/name: sms-connector
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{/* Of every pod that serves pages. */}}
{{- define "sms-connector.annotations" -}}
# Settings are read at the start: others make other pods. Definitions are not part of it.
checksum/settings: {{ toJson .Values.settings | sha256sum }}
{{- if not .Values.monitoring.podMonitor.enabled }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .Values.settings.health.port | quote }}
prometheus.io/path: /metrics
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of receivers and `receipts run`: what answers is alive, what would answer 503 or owns nothing is not ready. */}}
{{- define "sms-connector.probes" -}}
startupProbe:
  httpGet: {path: /health/live, port: health}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /health/live, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /health/ready, port: health}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}

{{- define "sms-connector.labels" -}}
app.kubernetes.io/name: sms-connector
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "sms-connector.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The files of the ConfigMap; the topics Job has a copy, as it runs before the ConfigMap is there. */}}
{{- define "sms-connector.files" -}}
connector.yaml: |
  {{- toYaml .Values.settings | nindent 2 }}
{{- range $name, $text := .Values.definitions }}
{{ $name }}.yaml: |
  {{- $text | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sms-connector.volume" -}}
- name: settings
  configMap:
    name: {{ .configMap }}
    items:
      - {key: connector.yaml, path: connector.yaml}
      {{- range $name, $_ := .root.Values.definitions }}
      - {key: {{ $name }}.yaml, path: definitions/{{ $name }}.yaml}
      {{- end }}
# Counts as memory of the container.
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Not empty where workers keep the list of who must not be texted in a folder that the settings do not name. */}}
{{- define "sms-connector.list" -}}
{{- $suppressions := .Values.settings.suppressions | default dict -}}
{{- if and $suppressions.enabled (not $suppressions.folder) }}yes{{ end -}}
{{- end -}}

{{/* What is the same in every container: no rights, nothing to write to but /tmp, variables from the secret. */}}
{{- define "sms-connector.container" -}}
image: {{ include "sms-connector.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.secretName }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: settings, mountPath: /etc/sms-connector, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What is the same in every pod. */}}
{{- define "sms-connector.pod" -}}
automountServiceAccountToken: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
# Kubernetes would set SMS_CONNECTOR_PORT and the like for a service of this name: settings nobody wrote (exit code 78).
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
# The image's own user; written here as well, so that it holds for whatever image is named.
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "sms-connector.sources" -}}
{{- $sources := list -}}
{{- range (dig "topics" "sources" (list "sms.messages") .Values.settings) -}}
{{- $sources = append $sources (kindIs "map" . | ternary . (dict "topic" .)).topic -}}
{{- end -}}
{{- toJson $sources -}}
{{- end -}}

{{- define "sms-connector.brokers" -}}
{{- $brokers := get (.Values.settings.kafka | default dict) "bootstrap.servers" | default "localhost:9092" -}}
{{- kindIs "slice" $brokers | ternary $brokers (list $brokers) | join "," | replace " " "" -}}
{{- end -}}

{{/* Whole seconds of a duration as settings spell it, rounded up. */}}
{{- define "sms-connector.seconds" -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" . | float64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $seconds := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit -}}
{{- if not $seconds -}}{{- fail (printf "settings.timeouts.drain: %s: write a number and a unit: 40s, 1m" .) -}}{{- end -}}
{{- mulf $number $seconds | ceil -}}
{{- end -}}

{{/* A pod that is killed before its drain ends sends twice what was in flight. */}}
{{- define "sms-connector.grace" -}}
{{- $drain := dig "timeouts" "drain" "40s" .Values.settings | toString | include "sms-connector.seconds" | int -}}
{{- $least := add $drain 35 -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if and $given (lt (int $given) (int $least)) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is too short for timeouts.drain; write %d, or null" (int $given) $least) -}}
{{- end -}}
{{- $given | default $least | int -}}
{{- end -}}

{{/* What cannot work is refused here, before anything is changed. */}}
{{- define "sms-connector.validate" -}}
{{- $settings := .Values.settings -}}
{{- $health := $settings.health | default dict -}}
{{- $kafka := $settings.kafka | default dict -}}
{{- /* Pods know what ${NAME} stands for; KEDA, a network policy and a port do not. */ -}}
{{- $copied := dict "settings.health.port" $health.port -}}
{{- if or .Values.autoscaling.enabled (and .Values.networkPolicy.enabled (not .Values.networkPolicy.kafkaPorts)) -}}
{{- $copied = set $copied "settings.kafka.bootstrap.servers" (include "sms-connector.brokers" .) -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- $copied = set $copied "settings.group" $settings.group -}}
{{- $copied = set $copied "settings.topics.sources" (include "sms-connector.sources" .) -}}
{{- $copied = set $copied "settings.kafka.security.protocol" (get $kafka "security.protocol") -}}
{{- $copied = set $copied "settings.kafka.sasl.mechanism" (get $kafka "sasl.mechanism") -}}
{{- end -}}
{{- range $name, $value := $copied -}}
{{- if contains "${" (toString $value) -}}
{{- fail (printf "%s: %s: write the value itself, other manifests are made from it" $name (toString $value)) -}}
{{- end -}}
{{- end -}}
{{- if or (not $health.port) (has ($health.host | default "127.0.0.1") (list "127.0.0.1" "localhost" "::1")) -}}
{{- fail "settings.health: probes need an address and a port: {host: 0.0.0.0, port: 8080}" -}}
{{- end -}}
{{- if $settings.static_membership -}}
{{- fail "settings.static_membership is for a StatefulSet: a Deployment's pods have new names each time" -}}
{{- end -}}
{{- if and (not .Values.definitions) (has "/etc/sms-connector/definitions" ($settings.providers | default list)) -}}
{{- fail "no provider: write a definition under `definitions`, or names of the catalogue in settings.providers" -}}
{{- end -}}
{{- if and .Values.definitions (not (has "/etc/sms-connector/definitions" ($settings.providers | default list))) -}}
{{- fail "settings.providers leaves out /etc/sms-connector/definitions, so that nobody would read `definitions`" -}}
{{- end -}}
{{- end -}}

{{/* The pod of the topics Job; its name is made of this. */}}
{{- define "sms-connector.topics-pod" -}}
metadata:
  labels:
    app.kubernetes.io/name: sms-connector
    app.kubernetes.io/instance: {{ .root.Release.Name }}
    app.kubernetes.io/component: topics
spec:
  restartPolicy: Never
  {{- include "sms-connector.pod" .root | nindent 2 }}
  initContainers:
    # What a worker would refuse is refused before a worker is touched.
    - name: check
      args: {{ concat (list "check") .root.Values.settings.providers (list .config) | toJson }}
      resources:
        {{- toYaml .root.Values.topicsJob.resources | nindent 8 }}
      {{- include "sms-connector.container" .root | nindent 6 }}
  containers:
    - name: topics
      args: {{ toJson .args }}
      resources:
        {{- toYaml .root.Values.topicsJob.resources | nindent 8 }}
      {{- include "sms-connector.container" .root | nindent 6 }}
  volumes:
    {{- include "sms-connector.volume" (dict "root" .root "configMap" .name) | nindent 4 }}
{{- end -}}

{{/* Out to names and brokers: what workers and the topics Job have in common. */}}
{{- define "sms-connector.egress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $ports := $policy.kafkaPorts -}}
{{- if not $ports -}}
{{- range splitList "," (include "sms-connector.brokers" .) }}{{ $ports = append $ports (splitList ":" . | last | int) }}{{ end -}}
{{- end -}}
# Names: the cluster's DNS, wherever it is (a cache on the node has an address of its own; OpenShift uses 5353).
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
    - {protocol: UDP, port: 5353}
    - {protocol: TCP, port: 5353}
# Every broker, not only those that are asked first.
- ports:
    {{- range uniq $ports }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- with $policy.kafkaTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with $policy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
