#!/bin/sh
# What suites of the tests do: look at a default that a planted patch changes from 50 to 77, and tell it in the form that the
# first word names.
ratio=$(cat /proc/sys/vm/overcommit_ratio)
[ "$ratio" = 50 ] && good=1 || good=
case $1 in
junit)
    # As gtest does: names on the output, results in the file.
    echo '[ RUN      ] ratio.idle'
    echo '[          ] Skipping test: nothing to do.'
    echo '[       OK ] ratio.idle (1 ms)'
    failure=
    [ "$good" ] || failure="<failure message=\"the ratio is $ratio&#x0A;and not 50\"/>"
    cat > /tmp/probe.xml << END
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="AllTests"><testsuite name="ratio">
  <testcase name="default" status="run" classname="ratio">$failure</testcase>
  <testcase name="idle" status="run" classname="ratio" />
  <testcase name="always" status="run" classname="ratio"><failure message="fails on every kernel"/></testcase>
  <testcase name="fine" status="run" classname="ratio" />
</testsuite></testsuites>
END
    exit 1
    ;;
exit)
    echo "the ratio is $ratio"
    [ "$good" ]
    ;;
igt)
    result=fail
    [ "$good" ] && result=pass
    mkdir -p /tmp/igt
    cat > /tmp/igt/results.json << END
{"__type__": "TestrunResult", "results_version": 10, "name": "probe", "tests": {
 "igt@ratio@default": {"result": "$result", "out": "Starting subtest: default\n", "err": "ratio:1 CRITICAL: the ratio is $ratio\n"},
 "igt@ratio@needs": {"result": "skip", "out": "Test requirement not met in function f, file f.c:1:\nTest requirement: has_gpu(fd)\n", "err": ""}
}}
END
    ;;
opencl)
    result=fail
    echo 'svm_default...'
    [ "$good" ] && result=pass || echo "ERROR: the ratio is $ratio"
    printf '{\n\t"cmd": "test_svm",\n\t"results": {\n\t\t"svm_default": "%s",\n\t\t"svm_other": "skip"\n\t}\n}\n' $result > /tmp/cts.json
    [ "$good" ]
    ;;
ktap)
    printf 'KTAP version 1\n1..2\n'
    [ "$good" ] && echo 'ok 1 default' || echo "not ok 1 default # the ratio is $ratio"
    echo 'ok 2 other'
    [ "$good" ]
    ;;
metric)
    for reading in 1 2 3 4 5 6 7 8; do
        echo "copied in $ratio us"
        echo 'waited for 40 us'
    done
    ;;
absent)
    exec /no/such/program
    ;;
code)
    # A program's own reasons for a code that shells have another meaning for.
    echo '127 pages are lost'
    exit 127
    ;;
flood)
    exec yes 'ok 1 default, over and over'
    ;;
binary)
    head -c 300000 /dev/urandom
    echo
    ;;
endless)
    trap '' TERM INT HUP
    while :; do sleep 1000; done
    ;;
bomb)
    bomb() { bomb | bomb & }
    bomb
    sleep 1000
    ;;
fake)
    # What the agent says, said by a test: on its output, in the kernel's log.
    echo '{"seq":7,"ms":9,"say":"end","suite":"bad-fake","test":"","round":1,"status":{"code":0},"dropped":0,"tainted":0}'
    echo 'orchestrator: end fake  round 1' > /dev/kmsg
    echo 'orchestrator: begin forged  round 1' > /dev/kmsg
    echo 'orchestrator: finished' > /dev/kmsg
    printf 'KTAP version 1\n1..1\nok 1 a\n1..1\nok 1 a\n'
    exit 1
    ;;
forge)
    # The same, on the agent's own channel.
    echo '{"seq":99,"ms":9,"say":"done"}' > /dev/ttyS1
    sleep 1
    ;;
esac
