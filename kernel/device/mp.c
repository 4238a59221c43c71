#include "kernel/device/acpi.h"
#include "kernel/kernel.h"
void mp_read(struct acpi_info *info) {
    (void)info;
    log("ACPI: nothing says which CPUs there are");
}
