CREATE TABLE `access_ring` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` text NOT NULL,
	`client_id` text NOT NULL,
	`ring` text NOT NULL,
	`first_at` integer NOT NULL,
	`last_at` integer NOT NULL,
	`added` integer NOT NULL,
	`entries` text NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `ring_of_client` ON `access_ring` (`project_id`,`client_id`,`ring`);--> statement-breakpoint
CREATE INDEX `ring_of_project_by_time` ON `access_ring` (`project_id`,`last_at`);--> statement-breakpoint
CREATE INDEX `ring_by_time` ON `access_ring` (`last_at`);