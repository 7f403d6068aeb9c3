#!/bin/sh
# Writes one test case for each thing it looks at.
memory() { while read -r key value unit; do [ "$key" != "$1:" ] || echo "$value"; done < /proc/meminfo; }
report() { echo "  <testcase classname=\"meminfo\" name=\"$1\">$2</testcase>" >> /tmp/swap-free.xml; }

echo '<testsuite name="swap-free">' > /tmp/swap-free.xml
if [ "$(memory MemFree)" -gt 0 ]; then report free ''; else report free '<failure message="no memory is free"/>'; fi
swap=$(memory SwapTotal)
if [ "${swap:-0}" = 0 ]; then report swap '<skipped message="this machine has no swap"/>'; else report swap ''; fi
echo '</testsuite>' >> /tmp/swap-free.xml
