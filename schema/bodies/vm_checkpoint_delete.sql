begin
  perform linuxsql.delete_checkpoint(
    linuxsql.checkpoint_named(linuxsql.machine_named(@extschema@.vm_current(machine)), name));
end
