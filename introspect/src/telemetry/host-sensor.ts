/** The host's processor temperature, where it has a sensor. */
import { readdirSync, readFileSync } from 'node:fs';

const thermalFolder = '/sys/class/thermal';
const hwmonFolder = '/sys/class/hwmon';
const freshMs = 1000;
const preferredZones = /cpu|pkg|core|soc/i;

let readAt = -Infinity;
let held: number | null = null;

/** Degrees Celsius, or null where the host shows none; read at most once a second. */
export function cpuTemperature(): number | null {
  const now = performance.now();
  if (now - readAt > freshMs) {
    readAt = now;
    held = fromThermalZones() ?? fromHwmon();
  }
  return held;
}

function fromThermalZones(): number | null {
  const zones = list(thermalFolder).filter((name) => name.startsWith('thermal_zone'));
  const typed = zones.map((name) => ({
    folder: `${thermalFolder}/${name}`,
    type: read(`${thermalFolder}/${name}/type`) ?? '',
  }));
  typed.sort((a, b) => Number(preferredZones.test(b.type)) - Number(preferredZones.test(a.type)));
  return first(typed.map(({ folder }) => `${folder}/temp`));
}

function fromHwmon(): number | null {
  const files = list(hwmonFolder).flatMap((chip) =>
    list(`${hwmonFolder}/${chip}`)
      .filter((name) => /^temp\d+_input$/.test(name))
      .map((name) => `${hwmonFolder}/${chip}/${name}`),
  );
  return first(files);
}

/** The first file that holds millidegrees in a believable range. */
function first(files: string[]): number | null {
  for (const file of files) {
    const degrees = Number(read(file) ?? NaN) / 1000;
    if (degrees > -50 && degrees < 200) return degrees;
  }
  return null;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
