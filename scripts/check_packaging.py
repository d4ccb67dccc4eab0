"""What no validator of others says about packaging/. Prints what is wrong and exits with 1, or prints nothing.

    check_packaging.py metrics FILE     the dashboard's structure; FILE gets its queries, as rules for promtool
    check_packaging.py kubernetes       what an API server refuses though its schema allows it
    check_packaging.py cron             cron's line, run in a shell with a stand-in for chat-admin
    check_packaging.py mail             the command of chat-admin-notify@.service, run with stand-ins
    check_packaging.py options PROGRAM  whether PROGRAM takes the options that each of them calls it with
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

packaging = Path(__file__).resolve().parent.parent / "packaging"

# What `check --metrics-file` writes.
METRICS = {
    "chat_admin_" + name
    for name in (
        "check_up check_complete check_last_run_timestamp_seconds check_last_success_timestamp_seconds "
        "check_duration_seconds findings collection_documents steps_pending journal_open lease_held"
    ).split()
}

# Exit codes of `check` (docs/reference.md) that another attempt doesn't change, and those that it may.
FINAL = {1, 5, 64, 65, 70, 74, 77, 78}
PASSING = {69, 75}

problems: list[str] = []


def expect(condition: object, problem: str) -> None:
    if not condition:
        problems.append(problem)


def metrics(queries: str) -> None:
    dashboard = json.loads((packaging / "grafana/dashboard.json").read_text())
    expect(isinstance(dashboard.get("schemaVersion"), int), "dashboard: no schemaVersion")
    expect(dashboard.get("uid") and dashboard.get("title"), "dashboard: no uid or title")
    expect("id" not in dashboard, "dashboard: an id belongs to one Grafana alone")
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    expect(variables.get("datasource", {}).get("type") == "datasource", "dashboard: no variable for the data source")
    panels = dashboard["panels"]
    expect(len({panel["id"] for panel in panels}) == len(panels), "dashboard: two panels have one id")
    taken: set[tuple[int, int]] = set()
    rules = []
    for panel in panels:
        title = panel["title"]
        expect(panel["fieldConfig"]["defaults"].get("unit"), f"dashboard: {title}: no unit")
        expect(panel.get("description"), f"dashboard: {title}: no description")
        grid = panel["gridPos"]
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        expect(grid["x"] + grid["w"] <= 24 and not cells & taken, f"dashboard: {title} has no place of its own")
        taken |= cells
        for source in [panel, *panel["targets"]]:
            expect(source["datasource"]["uid"] == "${datasource}", f"dashboard: {title}: a fixed data source")
        for target in panel["targets"]:
            used = set(re.findall(r"\$\{?(\w+)", target["expr"]))
            expect(used <= set(variables), f"dashboard: {title}: unknown variables {used - set(variables)}")
            rules.append(target["expr"].replace("$database", ".*"))
    names = set(re.findall(r"\bchat_admin_\w+", json.dumps(dashboard)))
    expect(names <= METRICS, f"dashboard: nobody writes {names - METRICS}")
    expect(names >= METRICS - {"chat_admin_check_last_success_timestamp_seconds"}, f"dashboard: without {METRICS - names}")
    names = set(re.findall(r"\bchat_admin_\w+", (packaging / "prometheus/alerts.yml").read_text()))
    expect(names <= METRICS, f"alerts: nobody writes {names - METRICS}")
    groups = [{"name": "dashboard", "rules": [{"record": f"query:{n}", "expr": rule} for n, rule in enumerate(rules)]}]
    Path(queries).write_text(json.dumps({"groups": groups}))  # JSON is YAML


def cron_job() -> tuple[dict, dict, dict]:
    import yaml

    documents = list(yaml.safe_load_all((packaging / "kubernetes/cronjob.yaml").read_text()))
    job = next(document for document in documents if document["kind"] == "CronJob")["spec"]
    claims = {document["metadata"]["name"] for document in documents if document["kind"] == "PersistentVolumeClaim"}
    return job, job["jobTemplate"]["spec"], {"claims": claims}


def kubernetes() -> None:
    cron, job, others = cron_job()
    pod = job["template"]["spec"]
    [container] = pod["containers"]
    expect(cron["concurrencyPolicy"] == "Forbid", "kubernetes: two checks at once")
    expect(pod["restartPolicy"] == "Never", "kubernetes: podFailurePolicy asks for restartPolicy Never")
    actions: dict[int, str] = {}
    for rule in job["podFailurePolicy"]["rules"]:
        expect(("onExitCodes" in rule) != ("onPodConditions" in rule), "kubernetes: a rule needs one of two keys")
        if codes := rule.get("onExitCodes"):
            values = codes["values"]
            expect(codes["containerName"] == container["name"], "kubernetes: a rule for a container that isn't there")
            expect(codes["operator"] == "In" and 0 not in values, "kubernetes: 0 is no failure")
            expect(values == sorted(set(values)), "kubernetes: exit codes must be in order, each once")
            actions |= {code: rule["action"] for code in values if code not in actions}
    expect({code for code, action in actions.items() if action == "FailJob"} >= FINAL, "kubernetes: tried again in vain")
    expect(all(actions.get(code) == "Count" for code in PASSING), "kubernetes: not tried again")
    time = re.search(r"--max-time=(\d+)m", " ".join(container["args"]))
    attempts = job["backoffLimit"] + 1
    expect(time and int(time[1]) * 60 * attempts < job["activeDeadlineSeconds"], "kubernetes: no time for all attempts")
    security = pod["securityContext"] | container["securityContext"]
    expect(security["runAsNonRoot"] and security["runAsUser"] > 0, "kubernetes: root")
    expect(security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], "kubernetes: too many rights")
    volumes = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]}
    expect({mount["name"] for mount in container["volumeMounts"]} == set(volumes), "kubernetes: volumes don't match")
    expect(set(volumes.values()) <= others["claims"], "kubernetes: a claim that isn't there")
    [uri] = [variable for variable in container["env"] if variable["name"] == "CHAT_ADMIN_URI"]
    expect("secretKeyRef" in uri["valueFrom"], "kubernetes: the connection string is no secret")


def cron_line() -> tuple[dict[str, str], str]:
    lines = (packaging / "cron/chat-admin").read_text().split("\n")
    expect(lines[-1] == "", "cron: the last line must end")
    settings, commands = {}, []
    for line in lines:
        if match := re.fullmatch(r"([A-Z]+)=(.*)", line):
            settings[match[1]] = match[2]
        elif line and not line.startswith("#"):
            commands.append(line)
    [line] = commands
    field = r"(?:\*|[\d,*/-]+)"
    match = re.fullmatch(rf"{field} {field} {field} {field} {field} ([a-z][a-z0-9-]*) (.*)", line)
    expect(match, "cron: five times, a user, a command")
    expect("%" not in line, "cron: a percent sign ends the command")
    expect(settings.get("MAILTO") and "/usr/local/bin" in settings.get("PATH", ""), "cron: MAILTO or PATH is missing")
    return settings, match[2] if match else ""


def stand_in(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text("#!/bin/sh\n" + script)
    (folder / name).chmod(0o755)


def cron() -> None:
    settings, command = cron_line()
    with tempfile.TemporaryDirectory() as name:
        stand_in(Path(name), "chat-admin", 'echo "the result"; echo "a remark" >&2; exit $CODE\n')
        path = f"{name}:{settings['PATH']}"
        for code in [0, 1, 69]:
            done = subprocess.run(
                [settings["SHELL"], "-c", command], env={"PATH": path, "CODE": str(code)}, capture_output=True, text=True
            )
            mail = done.stdout + done.stderr
            expected = "" if code == 0 else f"exit code {code}\nthe result\na remark\n"
            expect(mail == expected, f"cron: after exit code {code} it mails {mail!r}")


def exec_start(unit: str) -> list[str]:
    """The words of a unit's command, with the escapes that systemd knows for `$` undone."""
    [line] = re.findall(r"^ExecStart=(.*)$", (packaging / "systemd" / unit).read_text(), re.MULTILINE)
    return [word.replace("$$", "$") for word in shlex.split(line)]


def mail() -> None:
    shell, option, command = exec_start("chat-admin-notify@.service")
    command = command.replace("%i", "chat-admin-check").replace("%H", "host")
    expect("%" not in command, "systemd: a specifier that isn't known here")
    with tempfile.TemporaryDirectory() as name:
        stand_in(Path(name), "journalctl", 'echo "journal: $*"\n')
        stand_in(Path(name), "sendmail", 'echo "to $*"; cat\n')
        variables = {"SERVICE_RESULT": "exit-code", "EXIT_STATUS": "69", "INVOCATION_ID": "a1b2"}
        environment = {f"MONITOR_{key}": value for key, value in variables.items()}
        environment |= {"MAILTO": "root", "PATH": f"{name}:{os.environ['PATH']}"}
        command = command.replace("/usr/sbin/sendmail", f"{name}/sendmail")
        done = subprocess.run([shell, option, command], env=environment, capture_output=True, text=True)
    expected = [
        "to root",
        "Subject: chat-admin-check on host: exit-code (69)",
        "",
        "journal: --quiet --no-pager --output=cat _SYSTEMD_INVOCATION_ID=a1b2 _TRANSPORT=stdout",
    ]
    expect((done.stdout + done.stderr).splitlines() == expected, f"systemd: it mails {done.stdout + done.stderr!r}")


def options(program: str) -> None:
    program = str(Path(program).resolve())
    lines = (packaging / "systemd/check.env").read_text().splitlines()
    environment = [re.fullmatch(r"#?([A-Z_]+)=(.*)", line) for line in lines]
    choices = [match[2] for match in environment if match and match[1] == "CHECK_OPTIONS"]
    expect(len(choices) == 2, "systemd: check.env has CHECK_OPTIONS with metrics and without")
    unit = exec_start("chat-admin-check.service")[1:]
    calls = [[word for word in unit if word != "$CHECK_OPTIONS"] + choice.split() for choice in choices]
    calls.append(cron_job()[1]["template"]["spec"]["containers"][0]["args"])
    command = re.search(r"chat-admin (check [^)]*?) 2>&1\)", cron_line()[1])
    calls.append(shlex.split(command[1]) if command else [])

    def ends(words: list[str], folder: str) -> str | None:
        folder = tempfile.mkdtemp(dir=folder)
        Path(folder, "settings").write_text("CHAT_ADMIN_DATABASE=chat\n")
        Path(folder, "password").write_text("secret\n")
        for place in ["%d/", "%S/chat-admin/", "/etc/chat-admin/", "/var/lib/chat-admin/", "/records/"]:
            words = [word.replace(place, folder + "/") for word in words]
        words = [re.sub(r"/var/lib/prometheus/\S+/", folder + "/", word.replace("/cron.env", "/settings")) for word in words]
        # Nobody listens on port 1; two seconds are the shortest time to find that out.
        user = "reader@" if "--password-file" in words else ""
        uri = f"mongodb://{user}127.0.0.1:1/chat?serverSelectionTimeoutMS=2000"
        done = subprocess.run(
            [program, *words], env={"PATH": "/usr/bin:/bin", "CHAT_ADMIN_URI": uri}, cwd=folder, capture_output=True, text=True
        )
        if done.returncode == 69:
            return None
        return f"chat-admin {shlex.join(words)}: exit code {done.returncode} where 69 was expected: {done.stderr}"

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        problems.extend(filter(None, pool.map(lambda words: ends(words, folder), calls)))


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"metrics": metrics, "kubernetes": kubernetes, "cron": cron, "mail": mail, "options": options}[command](*arguments)
    if problems:
        print("\n".join(problems))
        sys.exit(1)
