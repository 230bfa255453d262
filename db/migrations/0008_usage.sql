CREATE TABLE `usage` (
	`project_id` text NOT NULL,
	`day` integer NOT NULL,
	`scrapes` integer NOT NULL,
	`bytes_served` integer NOT NULL,
	`samples_in` integer NOT NULL,
	`points_streamed` integer NOT NULL,
	`tokens_issued` integer NOT NULL,
	PRIMARY KEY(`project_id`, `day`),
	FOREIGN KEY (`project_id`) REFERENCES `project`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `usage_by_day` ON `usage` (`day`,`project_id`);