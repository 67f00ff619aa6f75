// lwIP: IPv4 over one SLIP line, TCP, UDP, DNS client; sizes for one TLS client, four TLS servers, one CoAP client.
#ifndef FIRSTBOOT_LWIPOPTS_H
#define FIRSTBOOT_LWIPOPTS_H

#include <stdint.h>

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0 // lwIP is called from one context only
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0
#define MEM_ALIGNMENT 4
#define LWIP_CHKSUM_ALGORITHM 3

#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_HAVE_SLIPIF 1
#define LWIP_RAW 0
#define LWIP_DHCP 0
#define LWIP_AUTOIP 0
#define LWIP_IGMP 0
#define LWIP_DNS 1
#define LWIP_NETIF_HOSTNAME 0
#define IP_REASSEMBLY 0 // this link does not need it, and any sender could fill its memory
#define IP_FRAG 0
#define IP_FORWARD 0
#define LWIP_ICMP 1

#define SLIP_MAX_SIZE 1500
#define PBUF_LINK_HLEN 0
#define PBUF_POOL_BUFSIZE 1520 // one packet, one buffer
#define PBUF_POOL_SIZE 40
#define MEM_SIZE (48 * 1024)
#define MEMP_NUM_PBUF 32

#define SO_REUSE 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_MSS 1460
#define TCP_WND (8 * TCP_MSS)
#define TCP_SND_BUF (6 * TCP_MSS)
#define TCP_SND_QUEUELEN 24
#define MEMP_NUM_TCP_PCB 16
#define MEMP_NUM_TCP_PCB_LISTEN 2
#define MEMP_NUM_TCP_SEG 64
#define MEMP_NUM_UDP_PCB 4
#define LWIP_TCP_KEEPALIVE 1

typedef uint32_t sys_prot_t; // a type that extmod/modlwip.c names; nothing is locked

// No multicast: joining a group fails.
#define igmp_joingroup(interface, group) ((void)(interface), (void)(group), ERR_VAL)
#define igmp_leavegroup(interface, group) ((void)(interface), (void)(group), ERR_VAL)

uint32_t board_network_random(void);
#define LWIP_RAND() board_network_random()

#endif
