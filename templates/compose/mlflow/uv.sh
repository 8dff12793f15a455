# Sourced by install.sh: installs uv into /install/uv, and makes it and pip use the build's package
# index and CA certificates. Both are build secrets: no layer or history contains them.

if [ -f /run/secrets/pip_index_url ]; then
    PIP_INDEX_URL="$(cat /run/secrets/pip_index_url)"
    export PIP_INDEX_URL UV_DEFAULT_INDEX="$PIP_INDEX_URL"
    case "$PIP_INDEX_URL" in
    http://*)
        # An index without TLS, as on local networks: hashes verify what it serves.
        host="${PIP_INDEX_URL#http://}"
        host="${host%%/*}"
        export PIP_TRUSTED_HOST="${host##*@}"
        ;;
    esac
fi
if [ -f /run/secrets/build_ca_certs ]; then
    # In addition to the certificates that the image trusts already, if any.
    cat /etc/ssl/certs/ca-certificates.crt /run/secrets/build_ca_certs >/install/ca.pem || true
    export PIP_CERT=/install/ca.pem SSL_CERT_FILE=/install/ca.pem
fi

python -m venv /install/uv
/install/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement /install/requirements-build.txt
