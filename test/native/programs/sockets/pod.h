/* Two cgroups v2, as a supervisor and its program have: sockets are made in one of them. They go with the process. */
#pragma once

/* Makes both; from then on the process is in `own`. */
void pod_make(void);

/* Sockets made from now on belong to the pod, until pod_leave(). */
void pod_enter(void);
void pod_leave(void);

/* Their directories. */
const char *pod_path(void);
const char *own_path(void);
