CREATE TABLE `idempotency_key` (
	`client_id` text NOT NULL,
	`key` text NOT NULL,
	`digest` blob NOT NULL,
	`object` text NOT NULL,
	`answer` text,
	`ends_at` integer NOT NULL,
	PRIMARY KEY(`client_id`, `key`),
	FOREIGN KEY (`client_id`) REFERENCES `client`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `idempotency_by_end` ON `idempotency_key` (`ends_at`);--> statement-breakpoint
DROP INDEX `client_of_project`;--> statement-breakpoint
CREATE INDEX `client_by_creation` ON `client` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `client_of_project` ON `client` (`project_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `project_by_creation` ON `project` (`created_at`,`id`);