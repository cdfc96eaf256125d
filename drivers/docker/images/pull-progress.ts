/** One line of what the engine says while it pulls or loads. */
export interface ProgressLine {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  /** Of a load. */
  readonly stream?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

type Stage = "waiting" | "pulling" | "pulled";

interface Layer {
  stage: Stage;
  current: number;
  total: number;
}

const stages: Readonly<Record<string, Stage>> = {
  "Pulling fs layer": "waiting",
  Waiting: "waiting",
  Downloading: "pulling",
  "Verifying Checksum": "pulling",
  "Download complete": "pulling",
  Extracting: "pulling",
  "Pull complete": "pulled",
  "Already exists": "pulled",
};

/** An image has at most 127; more is not worth the memory. */
const maxLayers = 1000;

/** How far the pull of one image is. */
export class PullProgress {
  readonly #layers = new Map<string, Layer>();
  readonly #startMs: number;

  /** @param startMs in the time of `text`. */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** @returns whether the line says that something goes on: that the engine tries again is none. */
  take(line: ProgressLine): boolean {
    const { status = "", id, progressDetail } = line;
    const stage = stages[status];
    if (id === undefined || stage === undefined) return !status.startsWith("Retrying in");
    const layer = this.#layer(id);
    if (!layer) return true;
    layer.stage = stage;
    // What is extracted is counted anew by the engine.
    if (status === "Downloading") {
      layer.current = progressDetail?.current ?? layer.current;
      layer.total = progressDetail?.total ?? layer.total;
    }
    if (status === "Download complete" || stage === "pulled") layer.current = layer.total;
    return true;
  }

  /** Source: reference behaviour §6.4. */
  text(nowMs: number): string {
    const layers = [...this.#layers.values()];
    if (layers.length === 0) return "No progress";
    const count = (stage: Stage): number => layers.filter((layer) => layer.stage === stage).length;
    const current = sum(layers.map((layer) => layer.current));
    const total = sum(layers.map((layer) => layer.total));
    const elapsedMs = nowMs - this.#startMs;
    const leftMs = current > 0 ? (elapsedMs / current) * (total - current) : 0;
    const rest = leftMs > 0 ? ` - est ${(leftMs / 1000).toFixed(1)}s remaining` : "";
    const bytes = `${byteSize(current)}/${byteSize(total)}`;
    return `Pulled ${count("pulled")}/${layers.length} (${bytes}) layers: ${count("waiting")} waiting/${count("pulling")} pulling${rest}`;
  }

  #layer(id: string): Layer | undefined {
    let layer = this.#layers.get(id);
    if (!layer && this.#layers.size < maxLayers) {
      layer = { stage: "waiting", current: 0, total: 0 };
      this.#layers.set(id, layer);
    }
    return layer;
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Four digits, as "12.34MiB". */
export function byteSize(bytes: number): string {
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(4))}${units[power]}`;
}
