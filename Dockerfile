# Debian's nginx with Strata in it, as an ordinary user on port 8080.
#
#   docker build -t strata .
#   docker run -p 8080:8080 -v $PWD/my.conf:/etc/nginx/nginx.conf:ro strata
#
# Without a configuration of yours it shows conf.example/quickstart.conf.  Yours has no
# "pid", and the /strata-status of that one, for the health check.

FROM debian:12-slim AS build

RUN apt-get update && apt-get install -y --no-install-recommends make

WORKDIR /strata
COPY Makefile config ./
COPY t/build t/build
RUN t/build/deps build

COPY src src
COPY lua lua
RUN make


FROM debian:12-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx curl ca-certificates \
        libhiredis0.14 libluajit2-5.1-2 libzstd1 lua-cjson \
    && rm -rf /var/lib/apt/lists/* \
    && chown -R www-data: /var/lib/nginx /var/log/nginx

COPY --from=build /strata/build/ngx_http_strata_module.so /usr/lib/nginx/modules/
COPY conf.example/quickstart.conf /etc/nginx/nginx.conf

RUN sed -i 's/listen 127.0.0.1:8080/listen 8080/' /etc/nginx/nginx.conf

USER www-data
EXPOSE 8080
STOPSIGNAL SIGQUIT

HEALTHCHECK --interval=10s --timeout=3s \
    CMD curl -fsS -o /dev/null http://127.0.0.1:8080/strata-status || exit 1

CMD ["nginx", "-g", "daemon off; pid /tmp/nginx.pid;"]
