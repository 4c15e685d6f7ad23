"""OpenTelemetry traces, where OTEL_EXPORTER_OTLP_ENDPOINT asks for them and the extra `otel` is installed."""
