#!/usr/bin/env bash
# README's five-minute tour as one script: starts a server in a temporary folder, drives it with curl, and a tester's phone with the
# terminal phone, until the customer has confirmed. Needs curl and jq, and the release binaries (cargo build --release --workspace).
# 五分钟上手脚本：启动临时服务器，用 curl 和终端手机走完整个流程。
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in curl jq; do
    command -v "$tool" >/dev/null || { echo "the tour needs $tool: apt-get install $tool" >&2; exit 1; }
done
bin=${CARGO_TARGET_DIR:-target}/${CALLOUT_PROFILE:-release}
home=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$home"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "1. A server, without any setting"
"$bin/callout" serve --data-dir "$home/data" --listen 127.0.0.1:0 >"$home/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
    api=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$home/server.log" | head -n 1 || true)
    [ -n "$api" ] && curl -fs "$api/readyz" >/dev/null 2>&1 && break
    sleep 0.1
done
cat "$home/server.log"
admin_password=$(grep -oE '[a-z2-9]{20}' "$home/server.log" | head -n 1)

# call METHOD PATH TOKEN [JSON]: prints the answer; a problem ends the tour.
call() {
    local body=()
    [ $# -ge 4 ] && body=(-H 'Content-Type: application/json' --data "$4")
    local answer
    answer=$(curl -sS -X "$1" "$api$2" ${3:+-H "Authorization: Bearer $3"} ${body[@]+"${body[@]}"} -w '\n%{http_code}')
    local status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    case $status in 2??) printf '%s' "$answer" ;; *) printf '%s %s: %s %s\n' "$1" "$2" "$status" "$answer" >&2; return 1 ;; esac
}
sign_in() { # NAME PASSWORD
    call POST /v1/sign-in "" "$(jq -nc --arg n "$1" --arg p "$2" --arg d "$(cat /proc/sys/kernel/random/uuid)" \
        '{user_name: $n, password: $p, device: {id: $d, name: "desk", platform: "browser"}}')" | jq -r .access_token
}

say "2. A region and four people"
admin=$(sign_in admin "$admin_password")
# Rest hours (R-CONTACT-1) are local: take an offset from UTC in which it is ten in the morning now.
offset=$(( (10 - 10#$(date -u +%H)) * 60 ))
region=$(call POST /v1/regions "$admin" "$(jq -nc --argjson offset $offset '{type: "Feature", properties: {name: "Riverside 滨河", utc_offset_minutes: $offset},
    geometry: {type: "Polygon", coordinates: [[[114.2, 30.5], [114.4, 30.5], [114.4, 30.6], [114.2, 30.6], [114.2, 30.5]]]}}')" | jq -r .id)
person() { # NAME ROLE
    call POST /v1/users "$admin" "$(jq -nc --arg n "$1" --arg r "$2" --arg region "$region" \
        '{user_name: $n, display_name: $n, password: "a long password", roles: [$r], region_ids: [$region]}')" | jq -r .id
}
person agent customer_service_agent >/dev/null
person dispatcher t1_dispatcher >/dev/null
tester_id=$(person tester field_tester)
person lead regional_lead >/dev/null
agent=$(sign_in agent "a long password")
t1=$(sign_in dispatcher "a long password")
lead=$(sign_in lead "a long password")

say "3. A complaint comes in, twice; it is one"
complaint_body='{"reference": "EOMS-1", "channel": "eoms", "customer": {"name": "张三", "phone": "16900000001"}, "description": "厨房没有信号", "symptom": "no_signal"}'
complaint=$(call POST /v1/complaints "$agent" "$complaint_body" | jq -r .id)
[ "$complaint" = "$(call POST /v1/complaints "$agent" "$complaint_body" | jq -r .id)" ]
order=$(call POST "/v1/complaints/$complaint/classify" "$t1" '{"class": "network"}' | jq -r .work_order_id)
call POST "/v1/work-orders/$order/locate" "$t1" '{"address": "滨河路12号", "position": {"latitude": 30.55, "longitude": 114.31}}' >/dev/null
call POST "/v1/work-orders/$order/dispatch" "$t1" "{\"tester_id\": \"$tester_id\"}" | jq '{number, state, region_id}'

say "4. The tester's phone: one sync, a day without a network, one sync"
export CALLOUT_SERVER=$api CALLOUT_PHONE_DATA=$home/phone
phone() { "$bin/phone" "$@"; }
CALLOUT_PASSWORD="a long password" phone sign-in --user tester
phone sync
phone --offline accept "$order"
phone --offline contact "$order" --from "$(date -u -d '+1 hour' +%FT%TZ)" --until "$(date -u -d '+2 hours' +%FT%TZ)"
phone --offline arrive "$order" --lat 30.55 --lon 114.31
for operator in china_mobile china_unicom china_telecom; do
    log=$home/$operator.out
    {
        printf '11-21 10:00:00.000  1  1 D cellinfo: Timestamp: %s\n' "$(date -u -d "$(date -u +%Y)-11-21 10:00:00" +%s)"
        printf '11-21 10:00:00.100  1  1 D cellinfo: Latitude is 30.5500\n11-21 10:00:00.100  1  1 D cellinfo: Longitude is 114.3100\n'
        for second in $(seq 10 59); do
            printf '11-21 10:00:%s.500  1  1 D cellinfo: onsignalStrengthsChanged: LTE Signal Strength info: rsrp: -%s rsrq: -12 rssi: -80 rssnr: %s\n' \
                "$second" $((95 + second % 20)) $((second % 15))
        done
    } >"$log"
    phone --offline capture "$order" --operator "$operator" "$log"
done
# A small picture; the standard template asks for one photo, and a photo needs the customer's consent (R-VISIT-2).
base64 -d >"$home/kitchen.png" <<<'iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAAAAACEICPDAAAAfElEQVR42u3SQQqCABQG4TmYJ/FMISERESESEiIRESIiIhIiHcuNHUBnJ367f/Fm9fhJjBKDxFeil+gkWolGopaoJEqJj8Rb4iXxlCgkcomHRCZxl0glEombxFXiInGWOEnEEkeJSOIgEc6C2dLN2sP/3gPbCOhH2gNbCEyLO2SbWIaOqgAAAABJRU5ErkJggg=='
phone --offline consent "$order" yes
phone --offline photo "$order" "$home/kitchen.png" --purpose indoors
phone --offline finding "$order" --problem "weak indoors 室内弱覆盖" --generation 4g --service data --occurs "evenings 晚上" --address "滨河路12号"
phone --offline submit "$order"
phone sync
phone status

say "5. The lead reviews"
test=$(call GET "/v1/work-orders/$order/field-tests" "$lead" | jq -r '.items[0].id')
call GET "/v1/field-tests/$test" "$lead" | jq '{state, blocks: [.blocks[] | {operator, sample_count, byte_length}]}'
call POST "/v1/field-tests/$test/review" "$lead" '{"decision": "approve", "quick_relief": "raise the power of the serving cell", "cure": "turn the antenna by 20 degrees"}' | jq '{state}'
call PUT "/v1/work-orders/$order/ladder/1" "$lead" '{"outcome": "solved", "evidence": [{"kind": "reference", "value": "change request CR-1"}], "reason": "parameters changed"}' | jq '.steps[0]'

say "6. The customer confirms on the page behind a one-time link"
link=$(call POST "/v1/work-orders/$order/revisits" "$lead" '{"what_was_done": "parameters changed"}' | jq -r .url)
link=$api/r/${link##*/}
curl -fsS "$link" -H 'Accept-Language: en' | grep -o '<h1>.*</h1>'
curl -fsS "$link" -H 'Accept-Language: en' --data 'solved=yes&score=10&words=thanks' | grep -o '<h1>.*</h1>'

say "7. Everything that happened"
call GET "/v1/work-orders/$order" "$lead" | jq '{number, state, customer}'
call GET "/v1/work-orders/$order/timeline" "$lead" | jq -r '.items[] | "\(.number)\t\(.happened_at)\t\(.action)"'
[ "$(call GET "/v1/work-orders/$order" "$lead" | jq -r .state)" = resolved ]
say "The tour is over: the order is resolved."
