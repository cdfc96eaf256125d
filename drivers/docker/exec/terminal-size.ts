import type { TerminalSize } from "../../driver.js";

/** Engines of this version and later take the size before the command starts (moby#43593). */
const consoleSizeVersion = [1, 42] as const;

/** @param apiVersion such as "1.41". */
export function takesConsoleSize(apiVersion: string): boolean {
  const [major = 0, minor = 0] = apiVersion.split(".").map(Number);
  return major > consoleSizeVersion[0] || (major === consoleSizeVersion[0] && minor >= consoleSizeVersion[1]);
}

/*
 * The shell says whether it has found the command before it becomes it: what it would print itself is no different from
 * output, and its exit code no different from the command's own.
 */
const script = `stty rows "$1" cols "$2" 2>/dev/null
mark=$3
shift 3
found() {
  case $1 in
  */*)
    [ -f "$1" ] && [ -x "$1" ]
    return
    ;;
  esac
  set -f
  IFS=:
  for dir in $PATH; do
    [ -f "\${dir:-.}/$1" ] && [ -x "\${dir:-.}/$1" ] && return 0
  done
  return 1
}
if (found "$1"); then
  printf %s "$mark+"
  exec "$@"
fi
printf %s "$mark-"
exit 127`;

/** What a container needs to have for it. */
export const shell = "sh";

/** The first thing that a sized command's terminal says. */
export const foundMark = (sessionId: string): Buffer => Buffer.from(`${sessionId}+`);
export const notFoundMark = (sessionId: string): Buffer => Buffer.from(`${sessionId}-`);

/**
 * A command that sets the size of its terminal before it becomes `command`, for engines that start all terminals with 0×0.
 * It needs sh in the container; without stty there, the size comes a moment late.
 */
export const sizedCommand = (command: readonly string[], size: TerminalSize, sessionId: string): readonly string[] => [
  shell,
  "-c",
  script,
  "allocd-session",
  String(size.rows),
  String(size.cols),
  sessionId,
  ...command,
];
