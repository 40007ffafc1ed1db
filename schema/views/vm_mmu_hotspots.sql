-- Faults of the current machine by physical page and kind, most hit first.
select memory_page, fault_type, hit_count, resolved
from linux.mmu_hotspots
order by hit_count desc
