declare
  chosen_kernel text := kernel;
  chosen_firmware text := firmware;
  chosen_disk text := disk;
  mib constant bigint := 1048576;
  memory_size constant bigint := pg_size_bytes(memory);
begin
  if to_regclass('linuxsql.machine') is null then
    raise exception 'the state tables are missing'
      using errcode = 'object_not_in_prerequisite_state', hint = 'Run the migrations: linuxsql up.';
  end if;
  if name is null or name !~ '^[a-z][a-z0-9_-]{0,62}$' then
    raise exception '"%" is not a machine''s name', name
      using errcode = 'invalid_parameter_value', detail = 'A machine''s name matches [a-z][a-z0-9_-]{0,62}.';
  end if;
  if memory_size is null or memory_size not between 16 * mib and 65536 * mib or memory_size % (2 * mib) <> 0 then
    raise exception 'a machine cannot have % of memory', coalesce(memory, 'null')
      using errcode = 'invalid_parameter_value', hint = 'Give 16 MB to 64 GB, a multiple of 2 MB.';
  end if;
  if octet_length(seed) <> 32 then
    raise exception 'a seed has 32 bytes, not %', octet_length(seed) using errcode = 'invalid_parameter_value';
  end if;
  if octet_length(bootargs) >= 1024 then
    raise exception 'the kernel command line is longer than 1023 bytes' using errcode = 'invalid_parameter_value';
  end if;
  if chosen_kernel is null then
    select i.name into chosen_kernel from linuxsql.image i where i.kind = 'kernel' and i.sealed order by i.id desc limit 1;
  end if;
  if chosen_firmware is null then
    select i.name into chosen_firmware from linuxsql.image i where i.kind = 'firmware' and i.sealed order by i.id desc limit 1;
  end if;
  if disk is null and disk_size is null and initrd is null then
    select i.name into chosen_disk from linuxsql.image i where i.kind = 'disk' and i.sealed order by i.id desc limit 1;
  end if;
  if bootargs is null then
    perform linuxsql.create_machine(name, chosen_firmware, chosen_kernel, base_image => chosen_disk, initrd => initrd,
      memory_bytes => memory_size, disk_bytes => pg_size_bytes(disk_size), seed => seed, autostart => autostart);
  else
    perform linuxsql.create_machine(name, chosen_firmware, chosen_kernel, base_image => chosen_disk, initrd => initrd,
      memory_bytes => memory_size, bootargs => bootargs, disk_bytes => pg_size_bytes(disk_size), seed => seed,
      autostart => autostart);
  end if;
  if network is not null then perform @extschema@.vm_network(name, network); end if;
  return name;
end
