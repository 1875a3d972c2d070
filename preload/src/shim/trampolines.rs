//! The functions that need something done before them, and nothing else.

use super::trampoline::trampolines;

trampolines! {
    Flush:
        nanosleep clock_nanosleep usleep sleep pause sigsuspend sigwait sigwaitinfo sigtimedwait
        wait waitpid wait3 wait4 waitid
        flock lockf lockf64 fsync fdatasync sync syncfs tcdrain sched_yield
        pthread_join pthread_timedjoin_np pthread_clockjoin_np
        pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait pthread_barrier_wait
        sem_wait sem_timedwait sem_clockwait
        mq_receive mq_timedreceive mq_send mq_timedsend msgrcv msgsnd semop semtimedop
        getaddrinfo gethostbyname gethostbyname_r gethostbyname2_r getnameinfo
        aio_read aio_read64 aio_write aio_write64 aio_suspend aio_suspend64 lio_listio lio_listio64;
    Last:
        kill killpg raise tgkill pthread_kill sigqueue pthread_sigqueue abort;
    FlushAll:
        execv execve execvp execvpe execl execlp execle fexecve execveat syscall;
    Fork:
        vfork __vfork _Fork clone __clone posix_spawn posix_spawnp popen system unshare setns;
    End:
        _exit _Exit quick_exit;
    Number:
        fopen fopen64 freopen freopen64 opendir fdopendir mkstemp mkstemp64 mkostemp mkostemp64 tmpfile tmpfile64;
    Descriptor:
        dprintf vdprintf;
}
