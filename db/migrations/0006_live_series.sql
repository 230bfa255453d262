CREATE TABLE `live_base` (
	`endpoint_id` integer PRIMARY KEY NOT NULL,
	`record` blob NOT NULL,
	FOREIGN KEY (`endpoint_id`) REFERENCES `endpoint`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `live_delta` (
	`seq` integer PRIMARY KEY NOT NULL,
	`endpoint_id` integer NOT NULL,
	`record` blob NOT NULL,
	FOREIGN KEY (`endpoint_id`) REFERENCES `endpoint`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `delta_of_endpoint` ON `live_delta` (`endpoint_id`,`seq`);