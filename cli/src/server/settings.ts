/** Configuration of an embedded server: one table of settings, written as a file that postgresql.conf includes. */
import { existsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { treeFolders } from './tree.js';

export type Settings = Record<string, string>;

export function quoteSetting(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

export function settingsText(settings: Settings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoteSetting(value)}`);
  return `# Written by the linuxsql command at every start; put your own settings into postgresql.conf, below its include.\n${lines.join('\n')}\n`;
}

/** What every cluster of ours has: reached through one private socket only. */
export function privateSettings(socketFolder: string): Settings {
  return {
    listen_addresses: '',
    unix_socket_directories: socketFolder,
    unix_socket_permissions: '0700',
    port: '5432',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    max_connections: '100',
    max_worker_processes: '16',
  };
}

/** pg_cron, where Debian's package is installed, without its connections over TCP. */
export function preloadSettings(tree: string, database: string): Settings {
  if (!existsSync(join(treeFolders(tree).library, 'pg_cron.so'))) return { shared_preload_libraries: 'linuxsql' };
  return {
    shared_preload_libraries: 'pg_cron,linuxsql',
    'cron.database_name': database,
    'cron.use_background_workers': 'on',
  };
}

/**
 * Settings for data worth keeping. Large Object writes are bound by WAL and full-page images, hence max_wal_size;
 * pages of images compress well and lz4 costs little.
 */
export function durableSettings(logFolder: string): Settings {
  const sharedMb = Math.max(128, Math.min(1024, Math.floor(totalmem() / 16 / (1 << 20))));
  return {
    shared_buffers: `${sharedMb}MB`,
    max_wal_size: '4GB',
    min_wal_size: '512MB',
    checkpoint_timeout: '15min',
    wal_compression: 'lz4',
    default_toast_compression: 'lz4',
    max_parallel_workers_per_gather: cpus().length > 2 ? '2' : '0',
    logging_collector: 'on',
    log_directory: logFolder,
    log_filename: 'postgresql-%a.log',
    log_truncate_on_rotation: 'on',
    log_rotation_age: '1d',
    log_line_prefix: '%m [%p] %q%u@%d ',
  };
}

/** Trust is right here: the socket stands in a folder of mode 0700, so who can connect owns the data folder anyway. */
export const hostBasedAuthentication =
  '# Written by the linuxsql command.\nlocal all all trust\nlocal replication all trust\n';
