/**
 * The systemd unit, run by systemd in a container and set up by the commands of docs/deploy.md: from the archive to
 * the service, its drop-ins, an upgrade, and the migration from the Torrust Tracker.
 */
import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { minimalToml } from '../support/configuration.ts'
import { block } from '../support/deploy/guide.ts'
import { hasMachine, type Job, onMachine } from '../support/deploy/machine.ts'
import { compiled } from '../support/e2e/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const UNIT = join(import.meta.dir, '../../share/systemd/tracker.service')
const HASH = '9c38422213e30bff212b30c360d26f9a02136422'
const TOKEN = 'TheTokenOfTheTest'
const KEY = 'YZSl4lMZupRuOpSRC3krIKR5BPB14nrJ'
/** Where `systemctl edit tracker` would put it. */
const OVERRIDE = 'tracker.service.d/override.conf'
/** The machine has no journal. */
const LOG = {
  'tracker.service.d/log.conf': `[Service]
StandardOutput=append:/room/log
StandardError=append:/room/log
`,
}

/** Functions of the scripts: wait until the tracker is healthy; print a property of its unit; announce. */
const WORDS = `
well() {
  for _ in {1..150}; do
    if tracker health > /dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo 'never well:' >&2
  cat /room/log >&2
  return 1
}
property() { systemctl show --property "$1" --value tracker; }
announce() { tracker client announce --insecure "$@" ${HASH}; }
`
const ARCHIVE = 'tracker-0.1.0-linux-x64'
const UNPACKED = `
mkdir -p /tmp/download/${ARCHIVE}/share/{bash-completion,fish,man,systemd,zsh}
cd /tmp/download
cp /room/tracker ${ARCHIVE}/
cp /room/tracker.service ${ARCHIVE}/share/systemd/
`
const SERVICE = `
${block('sh', 'useradd')}
well
`
/** The guide's commands up to a running service, without the download, which takes seconds. */
const INSTALL = `${UNPACKED}
cd ${ARCHIVE}
install -m 755 tracker /usr/local/bin/tracker
${SERVICE}`
/** All of them, from the downloaded archive on. */
const INSTALL_ALL = `${UNPACKED}
tar -czf ${ARCHIVE}.tar.gz --remove-files ${ARCHIVE}
sha256sum *.tar.gz > SHA256SUMS
${block('sh', 'sha256sum')}
${SERVICE}`

/** A configuration with these listeners and an API whose token is known. */
const toml = (listeners: string) =>
  minimalToml({
    core: '[core.database]\n[core.tracker_policy]\npersistent_torrent_completed_stat = true\n',
    rest: `[http_api]\naccess_tokens = { admin = "${TOKEN}" }\n${listeners}\n`,
  })

describe.skipIf(!hasMachine)('the service', () => {
  const program = compiled()

  /** Runs a script on a machine with the files of an archive; its output in lines. */
  async function run({ script, units, files }: Job): Promise<string[]> {
    const said = await onMachine({
      script: WORDS + script,
      units: { ...LOG, ...units },
      files: { tracker: { path: program()[0]! }, 'tracker.service': { path: UNIT }, ...files },
    })
    if (said.code !== 0) throw new Error(`the script failed: ${said.out}${said.err}`)
    return said.out.trimEnd().split('\n')
  }

  test('answers after the steps of the guide, without privileges and in its directory', async () => {
    const out = await run({
      script: `${INSTALL_ALL}
        announce udp://127.0.0.1:6969
        announce http://127.0.0.1:7070/announce
        echo == state
        property ActiveState
        stat -c '%U %a' /var/lib/tracker /var/lib/tracker/storage/tracker/lib/database/sqlite3.db
        grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$(property MainPID)/status | tr '\\t' ' '
        id -u tracker
        systemctl stop tracker
        property ActiveState
        property Result
        property ExecMainStatus`,
    })
    expect(out.slice(0, 2)).toEqual([
      'tracker-0.1.0-linux-x64.tar.gz: OK',
      expect.stringContaining('0.1.0'),
    ])
    expect(out.filter((line) => line.includes('"seeders"'))).toHaveLength(1)
    const state = out.slice(out.indexOf('== state') + 1)
    const uid = state.at(-4)
    expect(state).toEqual([
      'active',
      'tracker 700',
      'tracker 600',
      `Uid: ${uid} ${uid} ${uid} ${uid}`,
      'CapEff: 0000000000000000',
      'CapBnd: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
      `${uid}`,
      'inactive',
      'success',
      '0',
    ])
  })

  test('makes no system call that the unit forbids, whatever it does', async () => {
    const listeners = `
[[udp_trackers]]
bind_address = "[::]:6969"
[[http_trackers]]
bind_address = "[::]:7070"
[[http_trackers]]
bind_address = "[::]:7071"
tls_config = { ssl_cert_path = "/etc/tracker/cert.pem", ssl_key_path = "/etc/tracker/key.pem" }
[runtime]
workers = 3
max_memory = "64MiB"
`
    const out = await run({
      // A forbidden call kills it; an error alone could go unnoticed.
      units: { [OVERRIDE]: '[Service]\nSystemCallErrorNumber=kill\n' },
      files: { 'tracker.toml': { text: toml(listeners) } },
      script: `${INSTALL}
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \\
          -keyout /etc/tracker/key.pem -out /etc/tracker/cert.pem
        chgrp tracker /etc/tracker/*
        chmod 640 /etc/tracker/*
        install -m 640 -g tracker /room/tracker.toml /etc/tracker/tracker.toml
        systemctl restart tracker
        well
        echo == run
        announce udp://127.0.0.1:6969 --left 1 > /dev/null
        announce udp://127.0.0.1:6969 --left 0 --event completed > /dev/null
        announce 'udp://[::1]:6969' > /dev/null
        announce http://127.0.0.1:7070/announce > /dev/null
        announce https://127.0.0.1:7071/announce > /dev/null
        tracker client scrape udp://127.0.0.1:6969 ${HASH} > /dev/null
        api=http://127.0.0.1:1212/api/v1
        curl -sS -X POST "$api/whitelist/${HASH}?token=${TOKEN}"
        echo
        curl -sS "$api/metrics?format=prometheus&token=${TOKEN}" > /dev/null
        curl -sS "$api/stats?token=${TOKEN}" > /dev/null
        property NRestarts
        systemctl stop tracker
        property Result
        grep -c 'successfully shutdown' /room/log`,
    })
    expect(out.slice(out.indexOf('== run') + 1)).toEqual(['{"status":"ok"}', '0', 'success', '2'])
  })

  test('finds a database server by its name', async () => {
    const database =
      'driver = "mysql"\nhost = "database.test"\nport = 1\nuser = "u"\npassword = "p"\ndatabase = "d"\n'
    const config = toml('').replace('[core.database]\n', `[core.database]\n${database}`)
    const out = await run({
      files: { 'tracker.toml': { text: config } },
      script: `${INSTALL}
        echo '127.0.0.1 database.test' >> /etc/hosts
        install -m 640 -g tracker /room/tracker.toml /etc/tracker/tracker.toml
        : > /room/log
        systemctl restart tracker
        for _ in {1..100}; do
          if grep '^tracker: ' /room/log; then break; fi
          sleep 0.1
        done
        property NRestarts`,
    })
    // The connection is refused, so the name was resolved.
    expect(out.at(-2)).toMatch(/database\.test:1.*(refused|ECONNREFUSED)/)
  })

  test('restarts after a crash, not after a stop, a wrong command line or a wrong configuration', async () => {
    const out = await run({
      units: { [OVERRIDE]: '[Service]\nRestartSec=100ms\n' },
      script: `${INSTALL}
        echo == run
        systemctl kill --signal KILL tracker
        for _ in {1..100}; do
          if [[ $(property NRestarts) != 0 ]]; then break; fi
          sleep 0.1
        done
        well
        property NRestarts
        systemctl kill --signal TERM tracker
        while [[ $(property ActiveState) == *active ]] && [[ $(property SubState) != dead ]]; do sleep 0.1; done
        property ActiveState
        printf '[Service]\\nExecStart=\\nExecStart=/usr/local/bin/tracker --no-such-option\\n' \\
          > /run/units/tracker.service.d/wrong.conf
        systemctl daemon-reload
        systemctl start tracker
        while [[ $(property ActiveState) != failed ]]; do sleep 0.1; done
        property ExecMainStatus
        property NRestarts
        rm /run/units/tracker.service.d/wrong.conf
        echo 'private = "no"' > /etc/tracker/tracker.toml
        systemctl daemon-reload
        systemctl reset-failed tracker
        systemctl start tracker
        while [[ $(property ActiveState) != failed ]]; do sleep 0.1; done
        property ExecMainStatus
        property NRestarts`,
    })
    expect(out.slice(out.indexOf('== run') + 1)).toEqual(['1', 'inactive', '2', '0', '78', '0'])
  })

  // The machine has no eth0 to steer packets of, which must not stop the tracker from starting.
  test('gets low ports, and certificates that only root may read, by the drop-ins of the guide', async () => {
    const listeners = `${block('toml', 'tls_config')}
[[http_trackers]]
bind_address = "127.0.0.1:80"
`
    const out = await run({
      files: {
        'tracker.toml': { text: toml(listeners).replace(':7070', ':443') },
        [`units/${OVERRIDE}`]: {
          text: ['AmbientCapabilities', 'rps_cpus'].map((words) => block('ini', words)).join(''),
        },
        hook: { text: block('sh', 'RENEWED_LINEAGE') },
      },
      script: `
        live=/etc/letsencrypt/live/tracker.example.com
        mkdir -p -m 700 $live
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \\
          -keyout $live/privkey.pem -out $live/fullchain.pem
        ${INSTALL}
        install -m 640 -g tracker /room/tracker.toml /etc/tracker/tracker.toml
        RENEWED_LINEAGE=$live sh /room/hook
        systemctl restart tracker
        well
        echo == run
        announce 'https://[::1]/announce' > /dev/null
        announce http://127.0.0.1/announce > /dev/null
        grep -o 'Started on: http[^ ]*' /room/log | tail -n 4
        grep CapEff /proc/$(property MainPID)/status | cut -f 2`,
    })
    const said = out.slice(out.indexOf('== run') + 1)
    expect(said).toContain('Started on: https://[::]:443')
    expect(said).toContain('Started on: http://127.0.0.1:80')
    // CAP_NET_BIND_SERVICE alone.
    expect(said.at(-1)).toBe('0000000000000400')
  })

  test('reads its configuration again when it is reloaded', async () => {
    const changed = toml(block('toml', 'tls_config'))
    const out = await run({
      files: { 'tracker.toml': { text: changed.replace(/^tls_config.*$/m, '') } },
      script: `${INSTALL}
        before=$(property MainPID)
        install -m 640 -g tracker /room/tracker.toml /etc/tracker/tracker.toml
        echo == run
        systemctl reload tracker
        for _ in {1..100}; do
          if grep -q 'Changed: ' /room/log; then break; fi
          sleep 0.1
        done
        grep -o 'Changed: core.announce_policy.interval: .*' /room/log
        echo 'private = "no"' >> /etc/tracker/tracker.toml
        systemctl reload tracker
        for _ in {1..100}; do
          if grep 'Not reloaded: ' /room/log; then break; fi
          sleep 0.1
        done
        if [[ $(property MainPID) == "$before" ]]; then echo the same; fi
        property ActiveState`,
    })
    const said = out.slice(out.indexOf('== run') + 1)
    expect(said.shift()).toBe('Changed: core.announce_policy.interval: 1800 → 120')
    expect(said[0]).toContain('ERROR CONFIGURATION: Not reloaded: nothing was changed')
    expect(said.slice(1)).toEqual(['the same', 'active'])
  })

  test('is upgraded and rolled back as the guide says', async () => {
    const out = await run({
      script: `${INSTALL}
        mkdir -p /tmp/new/share/systemd
        cd /tmp/new
        cp /room/tracker tracker
        echo '# newer' | cat /room/tracker.service - > share/systemd/tracker.service
        before=$(property MainPID)
        ${block('sh', 'tracker.old')}
        well
        echo == run
        if [[ $(property MainPID) != "$before" ]]; then echo another; fi
        tail -n 1 /etc/systemd/system/tracker.service
        mv /usr/local/bin/tracker.old /usr/local/bin/tracker
        systemctl restart tracker
        well
        property ActiveState`,
    })
    expect(out.slice(out.indexOf('== run') + 1)).toEqual(['another', '# newer', 'active'])
  })

  test('replaces a Torrust Tracker by the commands of the guide', async () => {
    using directory = temporaryDirectory()
    const database = directory.at('sqlite3.db')
    makeLegacy(database)
    const out = await run({
      files: {
        'old.db': { path: database },
        'old.toml': { text: LEGACY },
      },
      units: {
        'torrust-tracker.service': `[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
`,
      },
      script: `
          old=/opt/torrust-tracker
          mkdir -p $old/storage/tracker/lib/database
          cp /room/old.toml $old/tracker.toml
          cp /room/old.db $old/storage/tracker/lib/database/sqlite3.db
          systemctl start torrust-tracker
          ${INSTALL}
          systemctl stop tracker
          rm -r /var/lib/tracker
          ${block('sh', 'config check --config /opt')}
          ${block('sh', 'disable --now torrust-tracker')}
          well
          echo == run
          api=http://127.0.0.1:1212/api/v1
          curl -sS "$api/whitelist?token=${TOKEN}"
          echo
          curl -sS "$api/keys?token=${TOKEN}"
          echo
          announce http://127.0.0.1:7070/announce/${KEY} > /dev/null
          for _ in {1..50}; do
            scrape=$(tracker client scrape http://127.0.0.1:7070/announce/${KEY} ${HASH})
            if [[ $scrape == *'"downloaded":37'* ]]; then break; fi
            sleep 0.1
          done
          echo "$scrape" | grep -o '"downloaded":[0-9]*'
          systemctl is-active torrust-tracker || true
          cmp /room/old.db $old/storage/tracker/lib/database/sqlite3.db && echo untouched
          find /var/lib/tracker ! -user tracker`,
    })
    expect(out).toContain('/opt/torrust-tracker/tracker.toml: ok (schema 2.0.0)')
    const said = out.slice(out.indexOf('== run') + 1)
    expect(said[0]).toBe(JSON.stringify([HASH]))
    expect(JSON.parse(said[1]!)).toEqual([{ key: KEY, valid_until: null, expiry_time: null }])
    expect(said.slice(2)).toEqual(['"downloaded":37', 'inactive', 'untouched'])
  })
})

/** A configuration and a database as the 2024 generation left them. */
const LEGACY = `
[metadata]
app = "torrust-tracker"
purpose = "configuration"
schema_version = "2.0.0"
[logging]
threshold = "info"
[core]
listed = true
private = true
[core.database]
driver = "sqlite3"
path = "./storage/tracker/lib/database/sqlite3.db"
[core.net]
external_ip = "0.0.0.0"
on_reverse_proxy = false
[core.tracker_policy]
persistent_torrent_completed_stat = true
[[udp_trackers]]
bind_address = "0.0.0.0:6969"
[[http_trackers]]
bind_address = "0.0.0.0:7070"
[http_api]
bind_address = "127.0.0.1:1212"
[http_api.access_tokens]
admin = "${TOKEN}"
`
function makeLegacy(path: string): void {
  using database = new Database(path)
  database.run(`
    CREATE TABLE whitelist (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE);
    CREATE TABLE torrents (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE,
      completed INTEGER DEFAULT 0 NOT NULL);
    CREATE TABLE keys (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, valid_until INTEGER);
    INSERT INTO whitelist VALUES (3, '${HASH}');
    INSERT INTO torrents VALUES (2, '${HASH}', 37);
    INSERT INTO keys VALUES (4, '${KEY}', NULL);`)
}
