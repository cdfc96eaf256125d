import type { RunUser } from "./protocol.js";

/*
 * How a command is started. Node spawns a shell with a few lines of our own, which becomes (exec sessions) or guards
 * (tasks) the command. Node and libuv have reset the signals before; what is left for the shell is told at each line.
 */

/** dash keeps its private memory near 0.1 MiB; it stays for as long as the task runs. */
export const guardShell = "/bin/dash";
const fdClosingShell = "/bin/bash";
const setsid = "/usr/bin/setsid";
const setpriv = "/usr/bin/setpriv";
const env = "/usr/bin/env";
/** The name by which the guard's shell goes. */
export const guardName = "allocd-guard";

/** Soft limit of open files for tasks: Node raises its own to the hard limit, which makes programs that close "all" fds crawl. */
const openFilesLimit = 65_536;

/**
 * Guards a task. Arguments: run directory, notice FIFO, run id, oom_score_adj, cgroup.procs files for the wrapper and for
 * the task (each a list as `procsFiles` gives it), then the command. Descriptor 3 becomes the command's stdin.
 *
 * - The run directory's `guard` is made with O_EXCL before the command, so that no run starts twice, whoever dies.
 * - The task is a background job since only `jobs` tells death by a signal from the exit code 128+n.
 *   A shell lets background jobs ignore INT and QUIT: `env --default-signal` in the command puts that right.
 * - A terminal is not the guard's own stdin: bash in front of it would open it by its name, and a session leader that does
 *   that takes it for its controlling terminal, which only root can take away from it again.
 * - After the start the guard lets go of the output, so that the end of the task's processes is the end of the output.
 * - The records are files that are there already and are written in place: that succeeds on a full disk too.
 */
export const guardScript = `
run=$1 notice=$2 id=$3 oom=$4 outer=$5 inner=$6
shift 6
unset _ SHLVL PWD OLDPWD
set -C
echo $$ >"$run/guard" || exit 125
set +C
umask 022
ulimit -Sn ${openFilesLimit} 2>/dev/null
set -f
IFS='
'
for file in $outer; do { echo 0 >"$file"; } 2>/dev/null; done
(
  for file in $inner; do echo 0 >"$file"; done
  echo "$oom" 2>/dev/null >/proc/self/oom_score_adj
  exec "$@"
) <&3 3<&- &
pid=$!
exec </dev/null >/dev/null 2>&1 3<&-
echo $pid 1<>"$run/pid"
printf 'pid %s\\n' "$id" 1<>"$notice"
wait $pid
status=$?
jobs 1<>"$run/jobs"
echo $status 1<>"$run/exit"
printf 'exit %s\\n' "$id" 1<>"$notice"
`;

/** Becomes a command beside a task. Arguments: cgroup.procs files as `procsFiles` gives them, then the command. */
export const sessionScript = `
files=$1
shift
unset _ SHLVL PWD OLDPWD
umask 022
ulimit -Sn ${openFilesLimit} 2>/dev/null
set -f
IFS='
'
for file in $files; do echo 0 >"$file"; done
exec "$@"
`;

/** The files by which a shell joins cgroups, one a line: a cgroup's name may hold any other character. */
export const procsFiles = (dirs: readonly string[]): string => dirs.map((dir) => `${dir}/cgroup.procs`).join("\n");

export interface CommandOptions {
  readonly argv: readonly string[];
  readonly user: RunUser | null;
  readonly env: Readonly<Record<string, string>>;
  /** "ctty": its stdin becomes the controlling terminal; "new": a session of its own; "keep": it has one already. */
  readonly session: "ctty" | "new" | "keep";
  /** Whether the shell made INT and QUIT ignored. */
  readonly resetSignals: boolean;
  /** NAME=value words for the command alone: the programs in front of it do not get them. */
  readonly late?: readonly string[];
}

/** The command with the programs in front of it that take its session, user, signals and late environment. */
export function commandLine(options: CommandOptions): { readonly argv: string[]; readonly env: Record<string, string> } {
  const { early, late } = splitEnvironment(options.env);
  late.push(...(options.late ?? []));
  const argv: string[] = [];
  if (options.session !== "keep") argv.push(setsid, ...(options.session === "ctty" ? ["--ctty"] : []));
  if (options.user) argv.push(...dropTo(options.user));
  if (options.resetSignals || late.length > 0) {
    // A variable's name may begin with a dash.
    argv.push(env, ...(options.resetSignals ? ["--default-signal=INT,QUIT"] : []), "--", ...late);
    // env(1) would take a command with '=' in its path for one more variable.
    if (options.argv[0]?.includes("=")) argv.push("/bin/sh", "-c", 'exec "$0" "$@"');
  }
  argv.push(...options.argv);
  return { argv, env: early };
}

/** Whether a process with this command line has not become its command yet. It has none for a moment when it becomes another program. */
export const isInFront = (words: readonly string[]): boolean =>
  words.length === 0 || words[0] === "" || words.includes(guardName) || [setsid, setpriv, env].includes(words[0] ?? "");

/** With the user's own groups where the user is known: setuid alone would leave the agent's. */
const dropTo = (user: RunUser): string[] => [
  setpriv,
  `--reuid=${user.uid}`,
  `--regid=${user.gid}`,
  user.known ? "--init-groups" : "--clear-groups",
  "--",
];

/** Names that a shell or the loader acts on before the command runs, as root still, or does not pass on. */
const actedOn =
  /^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|BASH_.*|SHELLOPTS|ENV|IFS|_|SHLVL|PWD|OLDPWD|OPTIND|PPID|PS[0-9]|POSIXLY_CORRECT)$/;
const shellName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `late` are NAME=value words that the last program before the command sets. */
function splitEnvironment(env: Readonly<Record<string, string>>): { early: Record<string, string>; late: string[] } {
  const early: Record<string, string> = {};
  const late: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (shellName.test(name) && !actedOn.test(name)) early[name] = value;
    // No program can be given a variable without a name.
    else if (name !== "") late.push(`${name}=${value}`);
  }
  return { early, late };
}

/**
 * Puts a shell in front that closes descriptors which Node can not mark close-on-exec: node-pty opens a pty's master
 * without it, and a child of another user could type into a terminal of root's. dash can not name descriptors above 9.
 */
export function closingFds(fds: readonly number[], argv: readonly string[]): string[] {
  if (fds.length === 0) return [...argv];
  return [fdClosingShell, "--norc", "-c", `exec ${fds.map((fd) => `${fd}>&-`).join(" ")}; exec "$@"`, "allocd", ...argv];
}

/** Starts a program with nothing inherited but 0, 1 and 2; used once, for the shim itself. */
export const closingAllFds = (argv: readonly string[]): string[] => [
  fdClosingShell,
  "--norc",
  "-c",
  'for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -gt 2 ] && eval "exec $fd>&-"; done; exec "$@"',
  "allocd",
  ...argv,
];
