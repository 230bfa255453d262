/** The other end of a `Worker`: does what each message orders, reports it, and ends with who asked, or when it fails. */
export function answer<Order, Report>(work: (order: Order) => Promise<Report>): void {
  process.on('message', (order: Order) => {
    work(order).then(
      (report) => process.send!(report),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
}
