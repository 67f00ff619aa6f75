// The two pages at the end of RAM. Their magic numbers are checked before they are used.
#include "board.h"

const handover_page_t *handover_page(void) {
    const handover_page_t *page = (const handover_page_t *)HANDOVER_ADDRESS;
    return page->magic == HANDOVER_MAGIC && page->struct_version == HANDOVER_VERSION ? page : NULL;
}

const power_on_page_t *power_on_page(void) {
    const power_on_page_t *page = (const power_on_page_t *)POWER_ON_ADDRESS;
    return page->magic == POWER_ON_MAGIC ? page : NULL;
}
