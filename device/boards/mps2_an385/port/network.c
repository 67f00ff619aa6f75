// IP over UART1 in SLIP (RFC 1055), static address; lwIP runs inside MicroPython's event waits, never in interrupts.
#include "py/mphal.h"

#include "board.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/sio.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/slipif.h"

int mp_mod_network_prefer_dns_use_ip_version = 4; // used by extmod/modlwip.c

static struct netif interface;
static bool is_up;

sio_fd_t sio_open(u8_t index) {
    return (sio_fd_t)UART_AT(index);
}

void sio_send(u8_t byte, sio_fd_t fd) {
    (void)fd;
    uart_write(UART_NETWORK, &byte, 1);
}

u32_t sio_tryread(sio_fd_t fd, u8_t *data, u32_t length) {
    (void)fd;
    return uart_read(UART_NETWORK, data, length);
}

u32_t sio_read(sio_fd_t fd, u8_t *data, u32_t length) {
    return sio_tryread(fd, data, length);
}

u32_t sys_now(void) {
    return mp_hal_ticks_ms();
}

void board_network_assert(const char *what) {
    board_fail(what);
}

// extmod/modlwip.c clears these callbacks of every socket that it closes. A listening socket has no such fields, so
// lwIP would write beyond it (tcp.c asserts this). Linked in with --wrap.
void __real_tcp_err(struct tcp_pcb *pcb, tcp_err_fn callback);
void __real_tcp_recv(struct tcp_pcb *pcb, tcp_recv_fn callback);
void __wrap_tcp_err(struct tcp_pcb *pcb, tcp_err_fn callback);
void __wrap_tcp_recv(struct tcp_pcb *pcb, tcp_recv_fn callback);

void __wrap_tcp_err(struct tcp_pcb *pcb, tcp_err_fn callback) {
    if (pcb->state != LISTEN) {
        __real_tcp_err(pcb, callback);
    }
}

void __wrap_tcp_recv(struct tcp_pcb *pcb, tcp_recv_fn callback) {
    if (pcb->state != LISTEN) {
        __real_tcp_recv(pcb, callback);
    }
}

// For sequence numbers and ports of lwIP: if they can be guessed, an attacker can inject data into connections.
uint32_t board_network_random(void) {
    uint32_t word = 0;
    if (entropy_random(NULL, (unsigned char *)&word, sizeof(word)) != 0) {
        board_fail("network without entropy");
    }
    return word;
}

void network_init(void) {
    if (!entropy_is_ready()) {
        return; // no nonces, so no network (entropy.c, rule 4)
    }
    ip4_addr_t address, mask, gateway, resolver;
    IP4_ADDR(&address, 10, 0, 2, 15);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 2, 2);
    IP4_ADDR(&resolver, 10, 0, 2, 3);
    uart_start_receive(UART_NETWORK);
    lwip_init();
    interface.state = (void *)(uintptr_t)UART_NETWORK;
    if (netif_add(&interface, &address, &mask, &gateway, interface.state, slipif_init, ip_input) == NULL) {
        board_fail("network interface");
    }
    netif_set_default(&interface);
    netif_set_link_up(&interface);
    netif_set_up(&interface);
    dns_setserver(0, &resolver);
    is_up = true;
}

bool network_is_up(void) {
    return is_up;
}

void network_poll(void) {
    if (is_up) {
        slipif_poll(&interface);
        sys_check_timeouts();
    }
}
