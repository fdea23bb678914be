#!/bin/sh
# Takes out of a Python base image what only a build needs, and makes the user that everything runs as.
# Runs inside the build, as root; never on a machine.
set -eu

groupadd --gid 10001 qrpay
useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin qrpay

# pip, and the copies of it that venv would install.
library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
rm -rf "$library"/site-packages/* "$library"/ensurepip "$library"/idlelib "$library"/tkinter \
    "$library"/turtledemo "$library"/lib2to3 "$library"/config-*
rm -f /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/2to3* /usr/local/bin/pydoc* \
    /usr/local/bin/wheel /usr/local/bin/python*-config

# Nobody becomes anybody else in here.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +

rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* "${HOME:?}/.cache"
