/* What filelayer.c is made of: control block, names under the root, the trace, the rule and the space for a call. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define TRACKED_FDS 65536
#define RULES 16
#define BLOCK 4096

/* In step with filelayer.py. */
enum Kind { OPEN = 1, WRITE, SYNC, ALLOCATE, RENAME, UNLINK, TRUNCATE, MKDIR, CLOSE, SYNC_END };
enum Action { FAIL = 1, SHORT, TORN, FAIL_AFTER, KILL, KILL_AFTER, SLOW };

struct Rule {
    uint32_t kind, action;
    uint32_t first, count;      /* of the calls that match, from 1 */
    int32_t error;              /* errno; of SLOW how many us */
    uint32_t seen;              /* calls that matched so far */
    char pattern[40];           /* of the path under the root; empty: all */
};

struct Control {
    uint64_t space_limit;       /* bytes that files under the root may take; 0: any */
    uint32_t hold_syncs;        /* while set, syncs wait */
    uint32_t skip_syncs;        /* they do not reach the disk */
    uint32_t held;              /* syncs that wait now */
    uint32_t unused;
    uint64_t calls[16];         /* by kind */
    struct Rule rules[RULES];
};

struct Head {
    uint32_t size;              /* of the record, this included */
    uint16_t kind, path_size;
    uint32_t second_size, data_size;
    int32_t pid, tid, fd, result;
    int64_t a, b;               /* offset and size; flags and whether the file was there; … */
};

static char root[PATH_MAX];
static size_t root_size;
static int trace_fd = -1;
static struct Control *control;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint8_t tracked[TRACKED_FDS];

static void die(const char *what) {
    dprintf(STDERR_FILENO, "filelayer: %s: %s\n", what, strerror(errno));
    abort();
}

static void __attribute__((constructor)) set_up(void) {
    const char *under = getenv("FILELAYER_ROOT"), *trace = getenv("FILELAYER_TRACE");
    const char *block = getenv("FILELAYER_CONTROL");
    int fd;
    if (under == NULL || trace == NULL || block == NULL)
        return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || (trace_fd = fcntl(fd, F_DUPFD_CLOEXEC, 500)) < 0)
        die("trace");
    syscall(SYS_close, fd);
    fd = (int)syscall(SYS_openat, AT_FDCWD, block, O_RDWR | O_CLOEXEC, 0);
    control = fd < 0 ? MAP_FAILED
                     : (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    if (control == MAP_FAILED)
        die("control");
    syscall(SYS_close, fd);
    root_size = strlen(strcpy(root, under));
}

/* --- names ----------------------------------------------------------------------------------------------------- */

/* Whether a path is the root or under it. `name` becomes what follows the root; empty for itself. */
static int is_under(const char *path, char *name) {
    if (strncmp(path, root, root_size) != 0 || (path[root_size] != '/' && path[root_size] != 0))
        return 0;
    strcpy(name, path + root_size + (path[root_size] == '/'));
    return 1;
}

static int of_fd(int fd, char *path) {
    char link[40];
    ssize_t size;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
    return size >= 0;
}

/* Whether what a call names lies under the root: through links and dots of its folder, but not of its own. */
static int lies_under(int dir, const char *path, char *name) {
    char whole[2 * PATH_MAX], folder[PATH_MAX], base[PATH_MAX];
    char *last;
    if (control == NULL || path == NULL || strlen(path) >= PATH_MAX)
        return 0;
    if (path[0] == '/')
        base[0] = 0;
    else if (dir == AT_FDCWD ? getcwd(base, PATH_MAX) == NULL : !of_fd(dir, base))
        return 0;
    snprintf(whole, sizeof whole, "%s/%s", base, path);
    for (last = whole + strlen(whole); last > whole + 1 && last[-1] == '/';)
        *--last = 0;
    last = strrchr(whole, '/');
    if (strcmp(last, "/.") == 0 || strcmp(last, "/..") == 0)
        return realpath(whole, folder) != NULL && is_under(folder, name);
    *last++ = 0;
    if (realpath(whole[0] ? whole : "/", folder) == NULL || strlen(folder) + strlen(last) + 2 > PATH_MAX)
        return 0;
    snprintf(whole, sizeof whole, "%s/%s", folder[1] ? folder : "", last);
    return is_under(whole, name);
}

static int is_tracked(int fd) {
    return control != NULL && fd >= 0 && fd < TRACKED_FDS && tracked[fd];
}

/* The name that the file of a tracked descriptor has now. */
static void name_of(int fd, char *name) {
    char path[PATH_MAX];
    if (!of_fd(fd, path) || !is_under(path, name))
        name[0] = 0;
}

/* --- the trace ------------------------------------------------------------------------------------------------- */

static void record(enum Kind kind, int fd, int64_t result, int64_t a, int64_t b, const char *path, const char *second,
                   const void *data, size_t data_size) {
    struct Head head = {0, (uint16_t)kind, (uint16_t)strlen(path), (uint32_t)strlen(second), (uint32_t)data_size,
                        getpid(), (int32_t)syscall(SYS_gettid), fd, (int32_t)result, a, b};
    struct iovec parts[4] = {{&head, sizeof head}, {(void *)path, head.path_size}, {(void *)second, head.second_size},
                             {(void *)data, data_size}};
    head.size = (uint32_t)(sizeof head + head.path_size + head.second_size + data_size);
    if (syscall(SYS_writev, trace_fd, parts, 4) != head.size)
        die("the trace cannot be written");
}

/* --- faults ---------------------------------------------------------------------------------------------------- */

static const struct Rule no_rule;

/* The rule for this call, which counts; one without an action when there is none. Under the mutex. */
static const struct Rule *rule_for(enum Kind kind, const char *name) {
    const struct Rule *found = &no_rule;
    control->calls[kind]++;
    for (struct Rule *rule = control->rules; rule < control->rules + RULES; rule++) {
        if (rule->kind != kind || (rule->pattern[0] && fnmatch(rule->pattern, name, 0) != 0))
            continue;
        rule->seen++;
        if (rule->seen >= rule->first && rule->seen - rule->first < rule->count)
            found = rule;
    }
    if (found->action == KILL)
        kill(getpid(), SIGKILL);
    return found;
}

/* What a call comes to after its rule; -errno for an error. Under the mutex, once the call is recorded. */
static int64_t come_to(const struct Rule *rule, int64_t result) {
    if (rule->action == KILL_AFTER)
        kill(getpid(), SIGKILL);
    return rule->action == FAIL_AFTER && result >= 0 ? -rule->error : result;
}

static int64_t system_result(long result) {
    return result < 0 ? -errno : result;
}

static long answer(int64_t result) {
    if (result >= 0)
        return (long)result;
    errno = (int)-result;
    return -1;
}

static uint64_t in_use;

static int add_to_use(const char *path, const struct stat *about, int type, struct FTW *where) {
    (void)path, (void)where;
    if (type == FTW_F)
        in_use += (uint64_t)about->st_blocks * 512;
    return 0;
}

/* How many of `size` bytes at `offset` there is space for. Files are taken to have no holes. */
static size_t space_for(int fd, uint64_t offset, size_t size) {
    struct stat about;
    uint64_t allocated, end, room;
    if (control->space_limit == 0 || fstat(fd, &about) != 0)
        return size;
    allocated = (uint64_t)about.st_blocks * 512;
    end = (offset + size + BLOCK - 1) / BLOCK * BLOCK;
    if (end <= allocated)
        return size;
    in_use = 0;
    nftw(root, add_to_use, 16, FTW_PHYS);
    room = control->space_limit > in_use ? control->space_limit - in_use : 0;
    if (end - allocated <= room)
        return size;
    end = (allocated + room) / BLOCK * BLOCK;
    return end > offset ? end - offset : 0;
}
