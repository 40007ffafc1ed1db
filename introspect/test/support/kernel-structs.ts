/** The structs of the made-up kernel: members that the decoders ask for, at offsets of our own. */
import { BtfWriter } from './btf-writer.js';

/** variant 'old' is laid out like 6.1, 'new' like 6.12. */
export function kernelStructs(variant: 'old' | 'new'): BtfWriter {
  const btf = new BtfWriter();
  const old = variant === 'old';
  btf.struct('list_head', [
    ['next', 'ptr'],
    ['prev', 'ptr'],
  ]);
  btf.struct('qstr', [
    ['len', 'u32'],
    ['name', 'ptr'],
  ]);
  btf.struct('hlist_bl_node', [
    ['next', 'ptr'],
    ['pprev', 'ptr'],
  ]);
  btf.struct('path', [
    ['mnt', 'ptr'],
    ['dentry', 'ptr'],
  ]);
  btf.struct('thread_info', [
    ['flags', 'u64'],
    ['cpu', 'u32'],
  ]);
  btf.struct('sched_entity', [['sum_exec_runtime', 'u64']]);
  btf.struct('thread_struct', [
    ['ra', 'u64'],
    ['sp', 'u64'],
    ['s', 'u64[12]'],
  ]);
  btf.struct('prev_cputime', [
    ['utime', 'u64'],
    ['stime', 'u64'],
  ]);
  btf.struct('task_struct', [
    ['thread_info', 'thread_info'],
    ['__state', 'u32'],
    ['stack', 'ptr'],
    ['flags', 'u32'],
    ['on_rq', 'u32'],
    ['prio', 'u32'],
    ['static_prio', 'u32'],
    ['policy', 'u32'],
    ['se', 'sched_entity'],
    ['tasks', 'list_head'],
    ['mm', 'ptr'],
    ['active_mm', 'ptr'],
    ['exit_state', 'u32'],
    ['pid', 'u32'],
    ['tgid', 'u32'],
    ['real_parent', 'ptr'],
    ['group_leader', 'ptr'],
    ['thread_node', 'list_head'],
    ['utime', 'u64'],
    ['stime', 'u64'],
    ['nvcsw', 'u64'],
    ['nivcsw', 'u64'],
    ['start_boottime', 'u64'],
    ['real_cred', 'ptr'],
    ['comm', 'u8[16]'],
    ['fs', 'ptr'],
    ['files', 'ptr'],
    ['nsproxy', 'ptr'],
    ['signal', 'ptr'],
    ['cgroups', 'ptr'],
    ['worker_private', 'ptr'],
    ['thread', 'thread_struct'],
  ]);
  btf.struct('upid', [
    ['nr', 'u32'],
    ['ns', 'ptr'],
  ]);
  btf.struct('pid', [
    ['count', 'u32'],
    ['numbers', 'upid[1]'],
  ]);
  btf.struct('signal_struct', [
    ['nr_threads', 'u32'],
    ['thread_head', 'list_head'],
    ['pids', 'ptr[4]'],
    ['utime', 'u64'],
    ['stime', 'u64'],
    ['sum_sched_runtime', 'u64'],
    ['prev_cputime', 'prev_cputime'],
  ]);
  btf.struct('cred', [
    ['uid', 'u32'],
    ['gid', 'u32'],
    ['suid', 'u32'],
    ['sgid', 'u32'],
    ['euid', 'u32'],
    ['egid', 'u32'],
  ]);
  memoryStructs(btf, old);
  fileStructs(btf, old);
  otherStructs(btf, old);
  return btf;
}

function memoryStructs(btf: BtfWriter, old: boolean): void {
  btf.struct('maple_tree', [
    ['ma_lock', 'u64'],
    ['ma_root', 'ptr'],
  ]);
  btf.struct('mm_rss_stat', [['count', 'u64[4]']]);
  btf.struct('percpu_counter', [
    ['lock', 'u64'],
    ['count', 'u64'],
    ['counters', 'ptr'],
  ]);
  btf.struct('mm_struct', [
    ['mm_mt', 'maple_tree'],
    ['pgd', 'ptr'],
    ['total_vm', 'u64'],
    ['start_brk', 'u64'],
    ['brk', 'u64'],
    ['start_stack', 'u64'],
    ['arg_start', 'u64'],
    ['arg_end', 'u64'],
    ['env_start', 'u64'],
    ['env_end', 'u64'],
    ['exe_file', 'ptr'],
    ['rss_stat', old ? 'mm_rss_stat' : 'percpu_counter[4]'],
  ]);
  btf.struct('vm_area_struct', [
    ['vm_start', 'u64'],
    ['vm_end', 'u64'],
    ['vm_flags', 'u64'],
    ['vm_ops', 'ptr'],
    ['vm_pgoff', 'u64'],
    ['vm_file', 'ptr'],
    ['vm_private_data', 'ptr'],
  ]);
}

function fileStructs(btf: BtfWriter, old: boolean): void {
  btf.struct('file_system_type', [['name', 'ptr']]);
  btf.struct('super_block', [
    ['s_dev', 'u32'],
    ['s_blocksize', 'u64'],
    ['s_type', 'ptr'],
    ['s_flags', 'u64'],
    ['s_subtype', 'ptr'],
  ]);
  btf.struct('inode', [
    ['i_mode', 'u16'],
    ['i_sb', 'ptr'],
    ['i_ino', 'u64'],
    ['i_private', 'ptr'],
  ]);
  btf.struct('dentry_operations', [
    ['d_revalidate', 'ptr'],
    ['d_dname', 'ptr'],
  ]);
  btf.struct('dentry', [
    ['d_hash', 'hlist_bl_node'],
    ['d_parent', 'ptr'],
    ['d_name', 'qstr'],
    ['d_inode', 'ptr'],
    ['d_op', 'ptr'],
    ['d_sb', 'ptr'],
    ['d_fsdata', 'ptr'],
  ]);
  btf.struct('file', [
    ['f_path', 'path'],
    ['f_inode', 'ptr'],
    ['f_flags', 'u32'],
    ['f_pos', 'u64'],
  ]);
  btf.struct('socket', [
    ['state', 'u32'],
    ['type', 'u16'],
    ['sk', 'ptr'],
  ]);
  btf.struct('socket_alloc', [
    ['socket', 'socket'],
    ['vfs_inode', 'inode'],
  ]);
  btf.struct('sock_common', [
    ['skc_daddr', 'u32'],
    ['skc_rcv_saddr', 'u32'],
    ['skc_dport', 'u16'],
    ['skc_num', 'u16'],
    ['skc_family', 'u16'],
    ['skc_state', 'u8'],
  ]);
  // One byte wide until 5.6.
  btf.struct('sock', [
    ['__sk_common', 'sock_common'],
    ['sk_protocol', old ? 'u8' : 'u16'],
  ]);
  btf.struct('unix_sock', [
    ['sk', 'sock'],
    ['addr', 'ptr'],
  ]);
  btf.struct('unix_address', [
    ['len', 'u32'],
    ['name', 'u16[55]'],
  ]);
  btf.struct('fdtable', [
    ['max_fds', 'u32'],
    ['fd', 'ptr'],
  ]);
  btf.struct('files_struct', [['fdt', 'ptr']]);
  btf.struct('fs_struct', [
    ['root', 'path'],
    ['pwd', 'path'],
  ]);
  btf.struct('vfsmount', [
    ['mnt_root', 'ptr'],
    ['mnt_sb', 'ptr'],
    ['mnt_flags', 'u32'],
  ]);
  btf.struct('rb_node', [
    ['parent', 'u64'],
    ['right', 'ptr'],
    ['left', 'ptr'],
  ]);
  btf.struct('rb_root', [['rb_node', 'ptr']]);
  btf.struct('mount', [
    ['mnt_parent', 'ptr'],
    ['mnt_mountpoint', 'ptr'],
    ['mnt', 'vfsmount'],
    ['mnt_devname', 'ptr'],
    old ? ['mnt_list', 'list_head'] : ['mnt_node', 'rb_node'],
    ['mnt_id', 'u32'],
  ]);
  btf.struct('mnt_namespace', [['root', 'ptr'], old ? ['list', 'list_head'] : ['mounts', 'rb_root']]);
  btf.struct('nsproxy', [
    ['count', 'u32'],
    ['mnt_ns', 'ptr'],
  ]);
}

function otherStructs(btf: BtfWriter, old: boolean): void {
  btf.struct('kernel_mapping', [
    ['page_offset', 'u64'],
    ['va_pa_offset', 'u64'],
  ]);
  btf.struct('module_layout', [
    ['base', 'ptr'],
    ['size', 'u32'],
  ]);
  btf.struct('module_memory', [
    ['base', 'ptr'],
    ['size', 'u32'],
  ]);
  btf.struct('module', [
    ['state', 'u32'],
    ['list', 'list_head'],
    ['name', 'u8[56]'],
    ['init', 'ptr'],
    ['taints', 'u64'],
    ...(old
      ? ([
          ['core_layout', 'module_layout'],
          ['init_layout', 'module_layout'],
        ] as [string, string][])
      : ([['mem', 'module_memory[3]']] as [string, string][])),
    ['source_list', 'list_head'],
    ['exit', 'ptr'],
    ['refcnt', 'u32'],
  ]);
  btf.struct('module_use', [
    ['source_list', 'list_head'],
    ['target_list', 'list_head'],
    ['source', 'ptr'],
    ['target', 'ptr'],
  ]);
  btf.struct('prb_data_blk_lpos', [
    ['begin', 'u64'],
    ['next', 'u64'],
  ]);
  btf.struct('prb_desc', [
    ['state_var', 'u64'],
    ['text_blk_lpos', 'prb_data_blk_lpos'],
  ]);
  btf.struct('printk_info', [
    ['seq', 'u64'],
    ['ts_nsec', 'u64'],
    ['text_len', 'u16'],
    ['facility', 'u8'],
    ['caller_id', 'u32'],
    ['flags', 'bits 5'],
    ['level', 'bits 3'],
  ]);
  btf.struct('prb_desc_ring', [
    ['count_bits', 'u32'],
    ['descs', 'ptr'],
    ['infos', 'ptr'],
    ['head_id', 'u64'],
    ['tail_id', 'u64'],
  ]);
  btf.struct('prb_data_ring', [
    ['size_bits', 'u32'],
    ['data', 'ptr'],
  ]);
  btf.struct('printk_ringbuffer', [
    ['desc_ring', 'prb_desc_ring'],
    ['text_data_ring', 'prb_data_ring'],
  ]);
}
