/** Built files that tests use. */
export { firmwareFiles, type FirmwareFiles } from '../../cli/src/setup/firmware.js';
import { daemonFiles, place } from '../../cli/src/base/place.js';

/** linuxsql-vm, where the server's account can run it. */
export function vmBinary(): string {
  return daemonFiles(place().app).vm;
}

/** main.js of introspect, where the server's account can read it. */
export function introspectMain(): string {
  return daemonFiles(place().app).introspect;
}
