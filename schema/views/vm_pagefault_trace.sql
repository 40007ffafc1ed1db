-- Page and access faults of the current machine.
select seq, instret, cause, scause, fault_addr, pc, priv, pid, satp, physical_page
from linux.page_faults
