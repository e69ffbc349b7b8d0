# A machine in a container: `kubeling up` with containerd inside. It has to run privileged; see docs/docker.md.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

RUN apt-get update --quiet=2 \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends \
        busybox-static ca-certificates containerd containernetworking-plugins iproute2 nftables \
        python3 python3-venv runc tini \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/kubeling
COPY requirements.lock ./
RUN python3 -m venv .venv \
    && .venv/bin/pip install --disable-pip-version-check --no-cache-dir --quiet \
        --require-hashes --requirement requirements.lock

COPY pyproject.toml README.md ./source/
COPY kubeling ./source/kubeling
COPY server ./source/server
COPY runtime ./source/runtime
COPY migrations ./source/migrations
COPY scripts/container-entrypoint /usr/local/bin/
RUN .venv/bin/pip install --disable-pip-version-check --no-cache-dir --quiet \
        --no-deps --no-build-isolation ./source \
    && rm -rf source \
    && ln -s /opt/kubeling/.venv/bin/kubeling /usr/local/bin/kubeling \
    && chmod 0755 /usr/local/bin/container-entrypoint

WORKDIR /
ENV KUBELING_HOME=/var/lib/kubeling KUBECONFIG=/etc/kubeling/kubeconfig
VOLUME /var/lib/kubeling
EXPOSE 6443
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "container-entrypoint"]
CMD ["up"]
